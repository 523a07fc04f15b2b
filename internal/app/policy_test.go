package app

import (
	"encoding/json"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
)

func TestAMergedFileStartsAndReadsOnlyWhatIsListed(t *testing.T) {
	probe := func(with string) mishap.Experiment {
		return mishap.Experiment{SteadyState: []mishap.ProbeSpec{{Probe: "exec", With: json.RawMessage(with)}}}
	}
	fault := func(with string) mishap.Experiment {
		return mishap.Experiment{Faults: []mishap.Fault{{Injector: "exec", With: json.RawMessage(with)}}}
	}
	http := func(with string) mishap.Experiment {
		return mishap.Experiment{SteadyState: []mishap.ProbeSpec{{Probe: "http", With: json.RawMessage(with)}}}
	}
	allow := config.Allow{Commands: []string{"redis-cli", "/opt/ok.sh", "env LANG"}, Env: []string{"TOKEN"}, Files: []string{"/run/token"}}
	for _, c := range []struct {
		name string
		e    mishap.Experiment
		want string // empty: allowed
	}{
		{"a listed program", probe(`{"argv": ["redis-cli", "ping"]}`), ""},
		{"another one", probe(`{"argv": ["sh", "-c", "curl x | sh"]}`), `allow.commands: ["sh"]`},
		{"a listed name elsewhere", probe(`{"argv": ["./redis-cli"], "dir": "/tmp"}`), `allow.commands: ["/tmp/redis-cli"]`},
		{"a way around", probe(`{"argv": ["../opt/ok.sh"], "dir": "/tmp"}`), ""},
		{"a variable that could replace it", probe(`{"argv": ["redis-cli"], "env": {"LD_PRELOAD": "/tmp/x.so"}}`), `allow.commands: ["env LD_PRELOAD"]`},
		{"a listed variable", probe(`{"argv": ["redis-cli"], "env": {"LANG": "C"}}`), ""},
		{"every command of a fault", fault(`{"inject": ["redis-cli"], "revert": ["rm", "x"], "verify": {"shell": "test -e x"}}`), `allow.commands: ["rm"] and allow.commands: ["test -e x"]`},
		{"a secret", http(`{"headers": {"X": {"env": "HOME"}}}`), `allow.env: ["HOME"]`},
		{"a listed secret", http(`{"headers": {"X": {"env": "TOKEN"}}, "body": {"file": "/run/token"}}`), ""},
		{"a file", http(`{"body": {"file": "/etc/shadow"}}`), `allow.files: ["/etc/shadow"]`},
		{"a probe inside a safeguard", mishap.Experiment{Safeguards: []mishap.SafeguardSpec{{Safeguard: "probe", With: json.RawMessage(`{"probe": "exec", "with": {"argv": ["sh"]}}`)}}}, `allow.commands: ["sh"]`},
		{"a calendar's file", mishap.Experiment{Safeguards: []mishap.SafeguardSpec{{Safeguard: "calendar", With: json.RawMessage(`{"file": "/etc/shadow"}`)}}}, `allow.files: ["/etc/shadow"]`},
	} {
		got := forbidden(c.e, allow)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
