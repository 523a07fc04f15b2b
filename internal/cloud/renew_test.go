package cloud_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

// login is a person who logs in, which writes a file.
type login struct {
	*testing.T
	fake    *awsfake.Cloud
	file    string
	expired atomic.Bool // what ann has
}

func newLogin(t *testing.T) *login {
	t.Helper()
	fake, _ := serve(t)
	l := &login{T: t, fake: fake, file: filepath.Join(t.TempDir(), "credentials")}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", l.file)
	fake.Judge(func(call awsfake.Call) awsfake.Fate {
		if l.expired.Load() && strings.Contains(call.Principal, "user/ann") {
			return awsfake.FailsBefore("ExpiredToken")
		}
		return awsfake.Fate{}
	})
	l.as(home.Account, "user/ann")
	return l
}

func (l *login) as(account, principal string) {
	l.Helper()
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = secret\n", l.fake.Key(account, principal))
	if err := os.WriteFile(l.file, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
}

// looks calls twice: only whoever is refused looks for other credentials.
func looks(t *testing.T, config aws.Config) error {
	t.Helper()
	_ = look(t.Context(), config)
	return look(t.Context(), config)
}

func TestWhoeverLogsInAgainNeedNotBeginAgain(t *testing.T) {
	l := newLogin(t)
	p, err := cloud.New().Place(t.Context(), cloud.At{Region: home.Region})
	if err != nil || look(t.Context(), p.Config) != nil {
		t.Fatal(err)
	}
	l.expired.Store(true)
	var hinted *mishap.Hinted
	if err := looks(t, p.Config); !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "log in again") {
		t.Errorf("expired: %v", err)
	}
	l.as(other, "user/bob")
	if err := looks(t, p.Config); cloud.Code(err) != "ExpiredToken" {
		t.Errorf("logged in to another account, where nothing of it is found: %v", err)
	}
	l.as(home.Account, "user/bob")
	if err := looks(t, p.Config); err != nil {
		t.Errorf("logged in again: %v", err)
	}
}

func TestARoleThatCanNoLongerBeTakenOnIsNoMissingGrantOfTheCall(t *testing.T) {
	fake, role := serve(t)
	edit := func(key string, value any) {
		fake.Edit(awsfake.Place{Account: other}, awsfake.Role, "mishap", func(d awsfake.Doc) { d[key] = value })
	}
	edit("_policies", map[string]string{"all": `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`})
	p, err := cloud.New().Place(t.Context(), cloud.At{Account: other, Region: home.Region, Role: role, ExternalID: "chaos"})
	if err != nil || look(t.Context(), p.Config) != nil {
		t.Fatal(err)
	}
	fake.On("ec2:*", 1, awsfake.FailsBefore("ExpiredToken")) // its session
	if err := looks(t, p.Config); err != nil {
		t.Errorf("the role was not taken on anew: %v", err)
	}
	edit("_trust", strings.Replace(trust, "Allow", "Deny", 1))
	fake.On("ec2:*", 1, awsfake.FailsBefore("ExpiredToken"))
	err = looks(t, p.Config)
	var hinted *mishap.Hinted
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "trust policy") || !strings.Contains(err.Error(), "sts:AssumeRole") {
		t.Errorf("%v, hint %+v", err, hinted)
	}
}
