package cloud_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

const (
	other = "222222222222"
	trust = `{"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "sts:AssumeRole",
		"Condition": {"StringEquals": {"sts:ExternalId": "chaos"}}}}`
)

// serve is a fake AWS over a socket, which the environment leads to, with the
// credentials of an account and a role in another.
func serve(t *testing.T) (fake *awsfake.Cloud, role string) {
	t.Helper()
	fake = awsfake.New(awsfake.Settings{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	alone(t, keys(map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": home.Account}))
	return fake, fake.AddRole(other, "mishap", trust, nil, nil)
}

func TestNothingIsCalledInAPlaceThatIsNotListed(t *testing.T) {
	fake, _ := serve(t)
	accounts := []cloud.Account{{ID: home.Account, Regions: []string{"eu-west-1"}}, {ID: other, Regions: []string{"us-east-1"}}}
	for _, test := range []struct {
		name            string
		accounts        []cloud.Account
		account, region string
		want, hint      string
	}{
		{"nothing is listed", nil, "", "", "list no AWS account", "accounts: [{id:"},
		{"another account", accounts, "333333333333", "eu-west-1", "account 333333333333", "under `accounts`"},
		{"another region", accounts, home.Account, "ap-south-2", "region ap-south-2", "under `regions`"},
		{"a region that is misspelt", accounts, home.Account, "eu-wset-1", "region eu-wset-1", `did you mean "eu-west-1"?`},
		{"another account's region", accounts, home.Account, "us-east-1", "region us-east-1", "regions"},
		{"a region of none", accounts, "", "ap-south-2", "region ap-south-2", "regions"},
		{"an account without regions", []cloud.Account{{ID: home.Account}}, "", "", "none is", "regions"},
	} {
		_, err := cloud.New().Listed(t.Context(), test.accounts, test.account, test.region)
		var hinted *mishap.Hinted
		if !errors.Is(err, mishap.ErrPlace) || !errors.Is(err, mishap.ErrRefused) || !errors.As(err, &hinted) || !strings.Contains(err.Error(), test.want) || !strings.Contains(hinted.Hint, test.hint) {
			t.Errorf("%s: %v, %+v", test.name, err, hinted)
		}
	}
	if n := len(fake.Calls()); n > 0 {
		t.Errorf("%d calls were made", n)
	}
	if p, err := cloud.New().Listed(t.Context(), accounts, home.Account, ""); err != nil || p.At != accounts[0].At("eu-west-1") {
		t.Errorf("what is listed: %+v, %v", p.At, err)
	}
}

func TestARoleIsTakenOnWithItsExternalID(t *testing.T) {
	_, role := serve(t)
	account := cloud.Account{ID: other, Role: role, ExternalID: "chaos", Regions: []string{"us-east-1"}}
	p, err := cloud.New().Listed(t.Context(), []cloud.Account{{ID: home.Account, Regions: []string{"eu-west-1"}}, account}, other, "")
	if err != nil || p.At != account.At("us-east-1") || !strings.Contains(p.Caller, ":assumed-role/mishap/") {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := p.Outlasts(t.Context(), time.Now().Add(48*time.Hour)); err != nil {
		t.Errorf("a role is renewed: %v", err)
	}
	account.ExternalID = "wrong"
	_, err = cloud.New().Listed(t.Context(), []cloud.Account{account}, "", "")
	var hinted *mishap.Hinted
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "externalId") || !strings.Contains(err.Error(), "is not authorized to perform: sts:AssumeRole") {
		t.Errorf("another external id: %v, %+v", err, hinted)
	}
}

func TestCredentialsOfAnotherAccountAreRefused(t *testing.T) {
	serve(t)
	if _, err := cloud.New().Place(t.Context(), cloud.At{Account: other, Region: "eu-west-1"}); err == nil || !strings.Contains(err.Error(), "for account 111111111111, not 222222222222") {
		t.Errorf("%v", err)
	}
}

func TestCredentialsThatExpireBeforeTheEndAreRefused(t *testing.T) {
	serve(t)
	ends := time.Now().Add(10 * time.Minute)
	t.Setenv("AWS_CREDENTIAL_EXPIRATION", ends.Format(time.RFC3339))
	p, err := cloud.New().Place(t.Context(), cloud.At{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Outlasts(t.Context(), ends.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	var hinted *mishap.Hinted
	if err := p.Outlasts(t.Context(), ends.Add(time.Minute)); !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "log in again") {
		t.Errorf("%v", err)
	}
}
