package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap/internal/config"
)

func TestAccountsAreListedWithTheWayIntoThem(t *testing.T) {
	s, err := load(t, `accounts:
  - '111122223333'
  - 222233334444
  - {id: '333344445555', role: 'arn:aws:iam::333344445555:role/chaos/mishap', externalId: Xy-1, regions: [us-east-1]}
regions: [eu-west-1]
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Account{
		{ID: "111122223333", Regions: []string{"eu-west-1"}}, {ID: "222233334444", Regions: []string{"eu-west-1"}},
		{ID: "333344445555", Role: "arn:aws:iam::333344445555:role/chaos/mishap", ExternalID: "Xy-1", Regions: []string{"us-east-1"}},
	}
	if diff := cmp.Diff(want, s.Accounts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"111122223333": {"eu-west-1"}, "222233334444": {"eu-west-1"}, "333344445555": {"us-east-1"}}, s.Places()); diff != "" {
		t.Error(diff)
	}
}

func TestTheEnvironmentReplacesTheAccountsOfAFile(t *testing.T) {
	s, err := load(t, "accounts: [{id: '333344445555', role: 'arn:aws:iam::333344445555:role/mishap'}]\n", map[string]string{"MISHAP_ACCOUNTS": "111122223333"}, nil)
	if err != nil || cmp.Diff([]config.Account{{ID: "111122223333", Regions: []string{}}}, s.Accounts) != "" {
		t.Errorf("%+v, %v", s.Accounts, err)
	}
}

func TestEachProblemOfAnAccountIsNamed(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/mishap"
	for accounts, want := range map[string]string{
		`['1234']`:                                     `"1234" is not the id of an AWS account`,
		`[{role: ` + role + `}]`:                       `"" is not the id of an AWS account`,
		`['111122223333', {id: '111122223333'}]`:       "account 111122223333 is listed twice",
		`[{id: '111122223333', role: mishap}]`:         `role "mishap" of account 111122223333 is not the ARN of a role`,
		`[{id: '222233334444', role: '` + role + `'}]`: "role " + role + " is of account 111122223333, and listed for 222233334444",
		`[{id: '111122223333', externalId: x}]`:        "has an externalId and no role",
		`[{id: '111122223333', regions: [europe]}]`:    `"europe" is not the name of an AWS region`,
		`[{id: '111122223333', region: eu-west-1}]`:    `mishap.yaml:1:41: accounts[0].region: unknown key "region"; did you mean "regions"?`,
		`[{id: '111122223333', regions: eu-west-1}]`:   "accounts[0].regions",
		`{id: '111122223333'}`:                         "mishap.yaml:1:11: accounts: ",
	} {
		if _, err := load(t, "accounts: "+accounts+"\n", nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", accounts, err, want)
		}
	}
}
