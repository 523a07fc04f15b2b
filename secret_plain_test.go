package mishap

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestASecretIsKnownByItsNameOrItsURL(t *testing.T) {
	const secret, doubt, plain = "secret", "doubt", "plain"
	values := map[string]map[string]string{
		"hunter2": {
			"Authorization": secret, "Proxy-Authorization": secret, "Cookie": secret, "Set-Cookie": secret, "X-Api-Key": secret, "api-key": secret, "apiKey": secret,
			"X-Auth-Token": secret, "Private-Token": secret, "X-Amz-Signature": secret, "Ocp-Apim-Subscription-Key": secret,
			"DB_PASSWORD": secret, "PGPASSWORD": secret, "MYSQL_PWD": secret, "AWS_SECRET_ACCESS_KEY": secret, "sig": secret, "client_secret": secret,
			"key": doubt, "X-Auth": doubt,
			"Accept": plain, "Idempotency-Key": plain, "PWD": plain, "TOKEN_URL": plain, "PASSWORD_FILE": plain, "DESIGN": plain, "url": plain,
		},
		"yes":                                     {"ALLOW_EMPTY_PASSWORD": plain},
		"":                                        {"Cookie": plain},
		"https://ann:hunter2@a.example/":          {"url": secret},
		"https://hunter2@a.example/":              {"url": secret},
		"http://ann:hunt%er2@a.example":           {"url": secret},
		"postgres://ann:hunter2@a.example/db":     {"DATABASE_URL": secret},
		"ssh://git@a.example/repo":                {"REPO": plain},
		"https://a.example/?a=1&api_key=hunter2":  {"url": secret},
		"https://a.example/?a=%zz&Sig=hunter2#b":  {"url": secret},
		"https://a.example/?key=hunter2":          {"url": doubt},
		"https://a.example/ann@b.example?q=x#t=y": {"url": plain},
		"mail ann@a.example about http://x":       {"url": plain},
	}
	for value, names := range values {
		for name, want := range names {
			raw, _ := json.Marshal(map[string]any{"in": map[string]string{name: value}})
			err := PlainSecrets("with", raw, struct {
				In map[string]Secret `json:"in"`
			}{})
			got := plain
			if warning := new(Warning); errors.As(err, &warning) {
				got = doubt
			} else if err != nil {
				got = secret
			}
			if got != want {
				t.Errorf("%s: %s is %s (%v), want %s", name, value, got, err, want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "with.in."+name)) {
				t.Errorf("it says %v", err)
			}
		}
	}
}
