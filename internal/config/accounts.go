package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// Account is an AWS account whose things may be touched, and how to get into it.
type Account struct {
	ID         string   `json:"id"`
	Role       string   `json:"role,omitempty"`       // ARN of the role to take on; empty: the credentials as they are
	ExternalID string   `json:"externalId,omitempty"` // that the role's trust policy asks for
	Regions    []string `json:"regions,omitempty"`    // where they may be; default: the setting regions
}

var (
	accountID = regexp.MustCompile(`^[0-9]{12}$`)
	roleARN   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]+$`)
	region    = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$`)
)

// withIDs writes the accounts that are given by their ids alone, which is short
// for what has nothing else.
func withIDs(accounts json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(accounts, &list) != nil {
		return accounts // whoever decodes it says what is wrong
	}
	for i, one := range list {
		var id any
		numbers := json.NewDecoder(bytes.NewReader(one))
		numbers.UseNumber()
		if numbers.Decode(&id) != nil {
			continue
		}
		switch id.(type) {
		case string, json.Number:
			list[i] = json.RawMessage(fmt.Sprintf(`{"id":%q}`, fmt.Sprint(id)))
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return accounts
	}
	return text
}

// listed makes the accounts of ids alone: of the environment, or a flag.
func listed(ids []string) (all []Account) {
	for _, id := range ids {
		all = append(all, Account{ID: id})
	}
	return all
}

// checkAccounts checks the accounts, and gives those without regions of their own
// the setting's.
func (s *Settings) checkAccounts() (problems []error) {
	seen := map[string]bool{}
	for i := range s.Accounts {
		a := &s.Accounts[i]
		role := roleARN.FindStringSubmatch(a.Role)
		switch {
		case !accountID.MatchString(a.ID):
			problems = append(problems, s.wrong(part("accounts", i), "%q is not the id of an AWS account; write its 12 digits in quotes, like '123456789012'", a.ID))
		case seen[a.ID]:
			problems = append(problems, s.wrong(part("accounts", i), "account %s is listed twice; put its regions into one entry", a.ID))
		case a.Role != "" && role == nil:
			problems = append(problems, s.wrong(part("accounts", i), "role %q of account %s is not the ARN of a role; write it like arn:aws:iam::%s:role/mishap", a.Role, a.ID, a.ID))
		case role != nil && role[1] != a.ID:
			problems = append(problems, s.wrong(part("accounts", i), "role %s is of account %s, and listed for %s", a.Role, role[1], a.ID))
		case a.ExternalID != "" && a.Role == "":
			problems = append(problems, s.wrong(part("accounts", i), "account %s has an externalId and no role that would ask for it; give its role", a.ID))
		}
		for _, r := range a.Regions {
			if !region.MatchString(r) {
				problems = append(problems, s.wrong(part("accounts", i), "%q is not the name of an AWS region; write it like eu-west-1", r))
			}
		}
		if seen[a.ID] = true; a.Regions == nil {
			a.Regions = slices.Clone(s.Regions)
		}
	}
	return problems
}

// Places are the regions by account that may be touched.
func (s *Settings) Places() map[string][]string {
	all := map[string][]string{}
	for _, a := range s.Accounts {
		all[a.ID] = a.Regions
	}
	return all
}
