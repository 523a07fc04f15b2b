package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile is what acts on a terminal: escape sequences in seven and eight bits, a
// title, a line that is written over, a reversed name, what is no UTF-8, and ends of
// lines, behind which something passes for a line of mishap's own.
const hostile = "x\n" + forged + "\r" + forged + "\v" + forged + "\f" + forged + "\u2028" + forged + "\u0085" + forged + "\x1b[2J\x1b]0;owned\a\r\u009b31m\x9b\u202egpj.exe\u2066\u200f\u061c\x7f\xff"

const forged = "mishap-says held"

// raw matches what must not be written: all that hostile is made of.
var raw = regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u2028\u2029]")

// TestNoVerbWritesWhatActsOnATerminal runs every verb with hostile arguments,
// files, probes and servers, as text and as JSON.
func TestNoVerbWritesWhatActsOnATerminal(t *testing.T) {
	dir := t.TempDir()
	system := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, hostile)
	}))
	defer system.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]string{"detail": hostile})
	}))
	defer server.Close()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const form = "version: 1\nname: %s\nclaim: \"It \\e[2J \\x9b31m works.\"\nowner: \"me \\e[1m\"\nsteadyState:\n" +
		"  - {name: \"a \\e[2J b\", probe: %s}\n" +
		"faults:\n  - {name: f, injector: exec, targets: {name: t}, with: {inject: {shell: 'true'}, revert: {shell: 'true'}, verify: {shell: 'true'}}, for: 1s}\n" +
		"blastRadius: {targets: 1, share: 100%%}\n"
	probed := write("exp/probed.yaml", fmt.Sprintf(form, "probed", "http, with: {url: '"+system.URL+"'}, expect: {status: 200, bodyContains: fine}"))
	told := write("exp/told.yaml", fmt.Sprintf(form, "told", `exec, with: {command: [printf, '\033[2J\233\342\200\256 %s'], stdout: x}, expect: {exit: 3}`))
	odd := write(hostile+".yaml", "version: 1\nname: \x1b[2J\u202e\n")
	chaos := write("chaos.json", strings.ReplaceAll(`{"title": H, "description": H, H: H, "configuration": {"a": H}, "steady-state-hypothesis": {"title": H, "probes": [
		{"name": H, "tolerance": 200, "provider": {"type": "http", "url": H, "headers": {H: H}}}]}, "method": [{"type": "action", "name": H, "provider": {"type": "process", "path": H, "arguments": [H]}}, H]}`,
		"H", strconv.Quote(hostile)))
	settings := write(hostile+".conf.yaml", "nothing: \"\\e[2J\"\n")
	journal := write("j\x1b[2J.jsonl", "{\"run\": \"\x1b[2J\"}\n")

	// The arguments of each verb that lead to something being said.
	verbs := map[string][][]string{
		"init": {{hostile}, {"http://localhost/" + hostile}}, "validate": {{odd}, {probed, told}, {dir}},
		"import": {{hostile}, {"chaostoolkit", odd}, {"chaostoolkit", chaos}}, "iam": {{odd}, {probed}, {dir, "--only", hostile}}, "sweep": {{hostile}, {"--list"}},
		"plan": {{odd}, {probed}}, "run": {{odd}, {probed}, {told}, {told, "--plain"}, {told, "--full"}, {hostile + ".json"}},
		"serve": {{hostile}, {"--config", settings}}, "schedule": {{odd}, {probed}}, "list": {{dir}, {probed}},
		"status": {{hostile}, {}, {"last"}}, "report": {{hostile}, {journal}, {"last"}, {"last", "--brief"}, {"last", "-o", "markdown"}, {"last", "-o", "junit"}, {"last", "-o", "html"}, {"last", "-o", "journal"}},
		"compare": {{hostile, hostile}}, "abort": {{hostile}}, "revert": {{hostile}, {"--all"}}, "halt": {{"--reason", hostile}}, "resume": {{}},
		"unlock": {{hostile, "--reason", hostile}}, "approve": {{hostile}, {hostile, "--reason", hostile}}, "catalog": {{hostile}},
		"proxy": {{"watch", hostile}, {"add", hostile}, {"remove", hostile}, {hostile}}, "observe": {{hostile}}, "config": {{hostile}, {"--config", settings}, {"--config", hostile}},
		"token": {{hostile}}, "demo": {{hostile}}, "demo-service": {{hostile}}, "keeper": {{hostile}}, "version": {{hostile}}, "help": {{hostile}}, "manual": {{odd}, {hostile, hostile}},
		"completion": {{hostile}, {"bash"}, {"zsh"}, {"fish"}, {"powershell"}},
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	try := func(args ...string) {
		cmd := programOf(path, []string{"MISHAP_STATE=" + filepath.Join(dir, "state"), "LANG=C"}, args...)
		cmd.Dir = dir
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run() // most of this fails
		for name, text := range map[string]string{"stdout": out.String(), "stderr": errs.String()} {
			said += strings.Count(text, "\uFFFD")
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, forged) || raw.MatchString(line) || !utf8.ValidString(line) {
					t.Errorf("%s of %q: %q", name, args, line)
				}
			}
		}
	}
	for _, cmd := range (&cli{}).root(nil).Commands() {
		if verbs[cmd.Name()] == nil {
			t.Errorf("the verb %s is not tried", cmd.Name())
		}
	}
	for verb, all := range verbs {
		for _, args := range all {
			try(append([]string{verb}, args...)...)
			try(append([]string{verb, "-o", "json"}, args...)...)
			try(append([]string{verb, "-v", "--config", hostile}, args...)...)
			try(append([]string{verb, "--state", dir + "/" + hostile}, args...)...)
			try(append([]string{verb, "--server", server.URL}, args...)...)
		}
		try(verb, "--"+hostile)
	}
	try(hostile)
	if said == 0 {
		t.Error("nothing of what is hostile was shown: the test tries nothing")
	}
}
