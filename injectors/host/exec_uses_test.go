package host

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"mishap"
)

// FuzzExecStartsOnlyWhatItDeclares looks for a command in whatever was decoded,
// by its type, so that one that is added later is found as well.
func FuzzExecStartsOnlyWhatItDeclares(f *testing.F) {
	for _, with := range []string{
		`{"inject": ["a"], "revert": {"argv": ["/bin/sh", "-c", "x"]}, "verify": {"shell": "y"}, "prepare": ["p"], "env": {"A": "b"}, "dir": "d"}`,
		`{"inject": {"argv": ["a"], "shell": "b"}}`, `{"inject": {"ARGV": ["a"]}}`, `{"prepare": null, "verify": {"shell": ""}}`, `{"inject": ["a"], "Inject": ["b"]}`,
	} {
		f.Add([]byte(with))
	}
	kind := execKind(Deps{})
	f.Fuzz(func(t *testing.T, with []byte) {
		decoded, err := readExec(with)
		uses, declared := kind.Uses(mishap.Fault{With: json.RawMessage(with)})
		if (err == nil) != (declared == nil) {
			t.Fatalf("read: %v, declared: %v", err, declared)
		}
		if err != nil {
			return
		}
		for v, i := reflect.ValueOf(decoded), 0; i < v.NumField(); i++ {
			c, ok := v.Field(i).Interface().(command)
			if !ok || !c.given() {
				continue
			}
			args := c.args()
			if !slices.ContainsFunc(uses.Commands, func(u mishap.Command) bool {
				asProgram := u.Shell == "" && u.Program == args[0]
				asShell := u.Shell != "" && slices.Equal(args, []string{"/bin/sh", "-c", u.Shell})
				return (asProgram || asShell) && u.Dir == decoded.Dir && len(u.Env) == len(decoded.Env)
			}) {
				t.Errorf("%s starts %q, and declares %+v", v.Type().Field(i).Name, args, uses.Commands)
			}
		}
	})
}
