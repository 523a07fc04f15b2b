package ci_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mishap/internal/report/ci"
)

// commands is what GitHub's runner takes for one: it cuts white space off a line,
// and looks for the older form anywhere.
func commands(text string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			found = append(found, line)
		}
	}
	return found
}

// FuzzNoLineIsACommandToWhatBuilds splits any text anywhere.
func FuzzNoLineIsACommandToWhatBuilds(f *testing.F) {
	f.Add("a\n::error::x\n  ::y", 3)
	f.Add("##[debug]a\n\t\u00a0::b\n###[c]", 1)
	f.Add(strings.Repeat("x", 70<<10)+"::no\n::yes", 9)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		host, _ := github(t)
		cut = min(max(cut, 0), len(text))
		for _, format := range []string{"text", "json"} {
			if format == "json" {
				quoted, err := json.Marshal(text)
				if err != nil {
					t.Fatal(err)
				}
				text = string(quoted)
				cut = min(cut, len(text))
			}
			var out bytes.Buffer
			s := host.Shield(&out, func() string { return format })
			_, first := s.Write([]byte(text[:cut]))
			_, second := s.Write([]byte(text[cut:]))
			if err := errors.Join(first, second, s.Flush()); err != nil {
				t.Fatal(err)
			}
			if found := commands(out.String()); found != nil {
				t.Errorf("%s %q: commands %q", format, text, found)
			}
			if plain := strings.ReplaceAll(out.String(), `\`, ""); format == "text" && plain != strings.ReplaceAll(text, `\`, "") {
				t.Errorf("%q is changed by more than what escapes it: %q", text, out.String())
			}
			if format == "json" {
				var is, was string
				if err := errors.Join(json.Unmarshal(out.Bytes(), &is), json.Unmarshal([]byte(text), &was)); err != nil || is != was {
					t.Errorf("the value of %q is changed: %q, %v", text, out.String(), err)
				}
			}
		}
	})
}

func TestWhereNothingBuildsEverythingPassesAtOnce(t *testing.T) {
	hosts := map[string]ci.Host{"text": ci.HostOf(func(string) string { return "" })}
	hosts["html"], _ = github(t)
	for format, host := range hosts {
		var out bytes.Buffer
		s := host.Shield(&out, func() string { return format })
		const text = "::before {\n  ##[x] no end"
		if _, err := s.Write([]byte(text)); err != nil || out.String() != text {
			t.Errorf("%s: %q, %v", format, out.String(), err)
		}
	}
}
