package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every flag of every verb that is not a text answers a wrong value in our words, and so
// does a flag that there is not.
func TestAFlagSaysWhatItTakesInOurWords(t *testing.T) {
	seen := 0
	for _, cmd := range everyVerb((&cli{}).root(nil)) {
		verb := strings.Fields(cmd.CommandPath())[1:]
		ask := func(flag string) string {
			var out, said bytes.Buffer
			if code := run(t.Context(), environment{args: append(verb, flag), in: strings.NewReader(""), out: &out, err: &said}); code != 2 {
				t.Errorf("%s %s: exit %d\n%s", cmd.CommandPath(), flag, code, said.String())
			}
			for _, word := range []string{"invalid argument", "parsing", "strconv", "time:", "flag needs", "unknown flag", "shorthand"} {
				if strings.Contains(said.String(), word) {
					t.Errorf("%s %s: %q is not ours: %s", cmd.CommandPath(), flag, word, said.String())
				}
			}
			return said.String()
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if kind := f.Value.Type(); strings.HasPrefix(kind, "string") || kind == "stringArray" {
				if said := ask("--" + f.Name); !strings.Contains(said, "--"+f.Name+" needs a value") {
					t.Errorf("%s --%s: %s", cmd.CommandPath(), f.Name, said)
				}
				return
			}
			seen++
			if said := ask("--" + f.Name + "=nonsense"); !strings.Contains(said, "--"+f.Name+" takes ") || strings.Contains(said, "something else") || !strings.Contains(said, `not "nonsense"`) {
				t.Errorf("%s --%s=nonsense: %s", cmd.CommandPath(), f.Name, said)
			}
		})
		if cmd.HasParent() && !cmd.DisableFlagParsing {
			if said := ask("--no-such-thing"); !strings.Contains(said, "has no flag --no-such-thing") {
				t.Errorf("%s --no-such-thing: %s", cmd.CommandPath(), said)
			}
			if said := ask("-Z"); !strings.Contains(said, "has no flag -Z") {
				t.Errorf("%s -Z: %s", cmd.CommandPath(), said)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d flags were tried", seen)
	}
}
