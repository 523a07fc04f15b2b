package mishap_test

import (
	"errors"
	"strings"
	"testing"

	"mishap"
)

func TestASecretIsLookedUpByOneRule(t *testing.T) {
	variables := map[string]string{"TOKEN": " hunter2\r\n", "EMPTY": ""}
	lookup := func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
	files := map[string]string{"/unix": "a\nb\n", "/windows": "a\r\nb\r\n", "/none": "hunter2", "/two": "hunter2\n\n", "/empty": "", "/line": "\r\n"}
	read := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
	for _, tt := range []struct {
		secret      mishap.Secret
		want, wrong string
	}{
		{mishap.Secret{}, "", ""},
		{mishap.Secret{Value: "plain\n"}, "plain\n", ""},
		{mishap.Secret{Env: "TOKEN"}, " hunter2\r\n", ""}, // a variable has no lines
		{mishap.Secret{Env: "EMPTY"}, "", "variable EMPTY is not set, or empty"},
		{mishap.Secret{Env: "MISSING"}, "", "variable MISSING is not set, or empty"},
		{mishap.Secret{File: "/unix"}, "a\nb", ""},
		{mishap.Secret{File: "/windows"}, "a\r\nb", ""},
		{mishap.Secret{File: "/none"}, "hunter2", ""},
		{mishap.Secret{File: "/two"}, "hunter2\n", ""},
		{mishap.Secret{File: "/empty"}, "", "file /empty is empty"},
		{mishap.Secret{File: "/line"}, "", "file /line is empty"},
		{mishap.Secret{File: "/missing"}, "", "read secret: no such file"},
	} {
		got, err := tt.secret.Resolve(lookup, read)
		if got != tt.want || (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%+v gives %q, %v; want %q, %q", tt.secret, got, err, tt.want, tt.wrong)
		}
	}
}
