package catalog

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/experiments"
	"mishap/internal/config"
)

// site is a server whose settings allow something, and files of its machine:
// bin is the only folder of PATH, and belongs to whoever runs the server.
type site struct {
	t       *testing.T
	catalog *Catalog
	bin     string
}

func newSite(t *testing.T, allow config.Allow) *site {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t, New(Options{Settings: &config.Settings{State: filepath.Join(dir, "state")}}), filepath.Join(dir, "bin")}
	s.catalog.settings.Server.Allow = allow
	s.program("redis-cli")
	s.program("rm")
	s.program("sh")
	t.Setenv("PATH", s.bin)
	return s
}

// program makes one, of a folder that is made if it is not there.
func (s *site) program(path string) string {
	s.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.bin, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *site) link(to, at string) string {
	s.t.Helper()
	if err := os.Symlink(to, filepath.Join(s.bin, at)); err != nil {
		s.t.Fatal(err)
	}
	return filepath.Join(s.bin, at)
}

func (s *site) check(name string, e mishap.Experiment, want string) {
	s.t.Helper()
	got := s.catalog.Policy(s.catalog.settings.Server.Sources).Forbidden(e)
	if want == "" && got != "" || !strings.Contains(got, want) {
		s.t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

func probing(kind, with, expect string) mishap.Experiment {
	return mishap.Experiment{SteadyState: []mishap.ProbeSpec{{Probe: kind, With: json.RawMessage(with), Expect: json.RawMessage(expect)}}}
}

func faulty(injector, targets, with string) mishap.Experiment {
	return mishap.Experiment{Faults: []mishap.Fault{{Injector: injector, Targets: json.RawMessage(targets), With: json.RawMessage(with)}}}
}

func guarded(safeguard, with string) mishap.Experiment {
	return mishap.Experiment{Safeguards: []mishap.SafeguardSpec{{Safeguard: safeguard, With: json.RawMessage(with)}}}
}

func compared(source, with string) mishap.Experiment {
	return mishap.Experiment{Compare: &mishap.Compare{Metrics: []mishap.CompareMetric{{Source: source, With: json.RawMessage(with)}}}}
}

func TestAMergedFileStartsAndReadsOnlyWhatIsListed(t *testing.T) {
	s := newSite(t, config.Allow{Commands: []string{"redis-cli", "/opt/ok.sh", "env LANG", "test -e flag"}, Env: []string{"TOKEN"}, Files: []string{"/run/token"}})
	for _, c := range []struct {
		name string
		e    mishap.Experiment
		want string // empty: allowed
	}{
		{"a listed program", probing("exec", `{"argv": ["redis-cli", "ping"]}`, ""), ""},
		{"another one", probing("exec", `{"argv": ["sh", "-c", "curl x | sh"]}`, ""), `allow.commands: ["sh"]`},
		{"a listed name elsewhere", probing("exec", `{"argv": ["./redis-cli"], "dir": "/tmp"}`, ""), `allow.commands: ["/tmp/redis-cli"]`},
		{"a way around", probing("exec", `{"argv": ["../opt/ok.sh"], "dir": "/tmp"}`, ""), ""},
		{"a variable that could replace it", probing("exec", `{"argv": ["redis-cli"], "env": {"LD_PRELOAD": "/tmp/x.so"}}`, ""), `allow.commands: ["env LD_PRELOAD"]`},
		{"a listed variable", probing("exec", `{"argv": ["redis-cli"], "env": {"LANG": "C"}}`, ""), ""},
		{"a shell text", faulty("exec", "", `{"inject": ["redis-cli"], "revert": ["redis-cli"], "verify": {"shell": "test -e flag"}}`), ""},
		{"every command of a fault", faulty("exec", "", `{"inject": ["redis-cli"], "revert": ["rm", "x"], "verify": {"shell": "test -e x"}}`), `allow.commands: ["rm"] and allow.commands: ["test -e x"]`},
		{"a command in other words", faulty("exec", "", `{"inject": {"argv": ["/bin/sh", "-c", "x"]}, "revert": ["redis-cli"], "verify": ["redis-cli"]}`), `allow.commands: ["/bin/sh"]`},
		{"prepare in other words", faulty("exec", "", `{"prepare": {"argv": ["sh"]}, "inject": ["redis-cli"], "revert": ["redis-cli"], "verify": ["redis-cli"]}`), `allow.commands: ["sh"]`},
		{"a variable of a fault", faulty("exec", "", `{"inject": ["redis-cli"], "env": {"PATH": "/tmp"}}`), `allow.commands: ["env PATH"]`},
		{"a command that feeds a metric", compared("command", `{"argv": ["sh"]}`), `allow.commands: ["sh"]`},
		{"a secret", probing("http", `{"headers": {"X": {"env": "HOME"}}}`, ""), `allow.env: ["HOME"]`},
		{"a listed secret", probing("http", `{"headers": {"X": {"env": "TOKEN"}}, "body": {"file": "/run/token"}}`, ""), ""},
		{"a file", probing("http", `{"body": {"file": "/etc/shadow"}}`, ""), `allow.files: ["/etc/shadow"]`},
		{"a standard input", probing("exec", `{"argv": ["redis-cli"], "stdin": {"file": "/etc/shadow"}}`, ""), `allow.files: ["/etc/shadow"]`},
		{"whom to trust", probing("http", `{"url": "https://a.example", "caFile": "/dev/zero"}`, ""), `allow.files: ["/dev/zero"]`},
		{"whom a query trusts", probing("prometheus", `{"url": "https://a.example", "query": "up", "caFile": "/etc/shadow"}`, `{"value": "< 1"}`), `allow.files: ["/etc/shadow"]`},
		{"whom a metric trusts", compared("prometheus", `{"url": "https://a.example", "caFile": "/etc/shadow"}`), `allow.files: ["/etc/shadow"]`},
		{"a secret of a metric", compared("prometheus", `{"url": {"env": "HOME"}}`), `allow.env: ["HOME"]`},
		{"a pid file", faulty("process-stop", `{"pidFile": "/etc/shadow"}`, ""), `allow.files: ["/etc/shadow"]`},
		{"a pid file to kill by", faulty("process-kill", `{"pidFile": "/etc/shadow"}`, ""), `allow.files: ["/etc/shadow"]`},
		{"a probe inside a safeguard", guarded("probe", `{"probe": "exec", "with": {"argv": ["sh"]}}`), `allow.commands: ["sh"]`},
		{"a secret inside a safeguard", guarded("probe", `{"probe": "tcp", "with": {"address": "a:1", "send": {"env": "HOME"}}}`), `allow.env: ["HOME"]`},
		{"a calendar's file", guarded("calendar", `{"file": "/etc/shadow"}`), `allow.files: ["/etc/shadow"]`},
		{"what cannot be read", probing("exec", `{"argv": "sh"}`, ""), `must be a list`},
		{"what nobody knows", probing("telnet", `{}`, ""), `the probe "telnet" does not declare`},
	} {
		s.check(c.name, c.e, c.want)
	}
}

// The names are compared as the kernel would follow them.
func TestAProgramIsListedByTheFileThatWouldBeStarted(t *testing.T) {
	s := newSite(t, config.Allow{})
	multi := s.program("busybox")
	ls := s.link(multi, "ls")
	s.link(multi, "ash")
	usr := s.program("usr/redis-cli")
	s.link(filepath.Dir(usr), "merged")
	exec := func(argv, dir string) mishap.Experiment {
		with, err := json.Marshal(map[string]any{"argv": []string{argv}, "dir": dir})
		if err != nil {
			t.Fatal(err)
		}
		return probing("exec", string(with), "")
	}
	for _, c := range []struct {
		name, listed, argv, dir string
		allowed                 bool
	}{
		{"the name", "redis-cli", "redis-cli", "", true},
		{"the path of a listed name", "redis-cli", s.bin + "/redis-cli", "", true},
		{"the name of a listed path", s.bin + "/redis-cli", "redis-cli", "", true},
		{"a path in a folder", "redis-cli", "./redis-cli", s.bin, true},
		{"the same name elsewhere", "redis-cli", usr, "", false},
		{"the same name in another folder", "redis-cli", "./redis-cli", filepath.Dir(usr), false},
		{"another way to a listed file", usr, s.bin + "/merged/redis-cli", "", true},
		{"one of a program that is several", ls, "ls", "", true},
		{"another one of it", ls, "ash", "", false},
		{"the program that is several", ls, multi, "", false},
		{"what is nowhere", "gone", "gone", "", true},
		{"what is nowhere, elsewhere", "gone", "./gone", s.bin, false},
	} {
		s.catalog.settings.Server.Allow.Commands = []string{c.listed}
		if why := s.catalog.Policy(s.catalog.settings.Server.Sources).Forbidden(exec(c.argv, c.dir)); (why == "") != c.allowed {
			t.Errorf("%s: listed %s, asked for %s in %q: allowed %v, want %v: %s", c.name, c.listed, c.argv, c.dir, why == "", c.allowed, why)
		}
	}
}

// What /proc/self leads to is asked by this process, and then by the one that
// starts the program, in a folder that the experiment names.
func TestAProgramIsNotListedByAPathThatMeansAnotherToWhoStartsIt(t *testing.T) {
	s := newSite(t, config.Allow{})
	good, evil := filepath.Join(filepath.Dir(s.bin), "good"), filepath.Join(filepath.Dir(s.bin), "evil")
	listed := s.program(good + "/tool")
	s.program(evil + "/tool")
	t.Chdir(good)
	s.catalog.settings.Server.Allow.Commands = []string{listed}
	for name, argv := range map[string]string{
		"a folder": "/proc/self/cwd/tool", "a thread's": "/proc/thread-self/cwd/tool", "by its number": fmt.Sprintf("/proc/%d/cwd/tool", os.Getpid()),
		"by the root": "/proc/self/root" + listed, "by a link": s.link("/proc/self/cwd/tool", "tool"),
	} {
		with, err := json.Marshal(map[string]any{"argv": []string{argv}, "dir": evil})
		if err != nil {
			t.Fatal(err)
		}
		s.check(name, probing("exec", string(with), ""), "leads through /proc")
	}
}

// Who can make a listed program that is not there yet decides what it is.
func TestAListedProgramThatIsNotThereCannotBeMadeByOthers(t *testing.T) {
	s := newSite(t, config.Allow{})
	folder := filepath.Join(filepath.Dir(s.bin), "checkout")
	s.catalog.settings.Server.Sources = []config.Source{{Name: "team", Folder: folder}}
	open := filepath.Dir(s.program("open/other"))
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	s.program(folder + "/other")
	sticky := filepath.Dir(filepath.Dir(s.program("sticky/own/other")))
	if err := os.Chmod(sticky, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		sticky + "/tool": "others can make it", sticky + "/own/tool": "", s.bin + "/tool": "", s.bin + "/no/folder/tool": "",
		open + "/tool": "can be written by others", folder + "/tool": "whoever writes experiments can change", folder + "/no/folder/tool": "whoever writes experiments can change",
	} {
		s.catalog.settings.Server.Allow.Commands = []string{path}
		with, err := json.Marshal(map[string]any{"argv": []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		s.check(path, probing("exec", string(with), ""), want)
	}
}

// A text names what it starts in the folder that the experiment lets it run in, and
// is listed by its letters.
func TestAListedTextOfAShellMeansWhatItMeantToWhoListedIt(t *testing.T) {
	s := newSite(t, config.Allow{})
	folder := filepath.Join(filepath.Dir(s.bin), "checkout")
	s.catalog.settings.Server.Sources = []config.Source{{Name: "team", Folder: folder}}
	inSource := s.program(folder + "/check.sh")
	own := filepath.Dir(s.program("own/check.sh"))
	sticky := filepath.Dir(s.program("sticky/check.sh"))
	open := s.program("open/check.sh")
	for path, mode := range map[string]os.FileMode{sticky: 0o777 | os.ModeSticky, open: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, text, dir, want string }{
		{"in the server's folder", "test -e flag | cat", "", ""},
		{"in a folder of one's own", "./check.sh --fast", own, ""},
		{"in a source", "./check.sh", folder, "whoever writes experiments can change"},
		{"in a source, without a path", "test -e flag", folder, "whoever writes experiments can change"},
		{"in a link to a source", "./check.sh", s.link(folder, "linked"), "whoever writes experiments can change"},
		{"in a folder like /tmp", "./check.sh", sticky, "others can make files"},
		{"in a folder that means another to each process", "./check.sh", "/proc/self/cwd", "leads through /proc"},
		{"a program of a source", inSource, "", "whoever writes experiments can change"},
		{"a program that others write, with arguments", open + " --fast", "", "can be written by others"},
	} {
		s.catalog.settings.Server.Allow.Commands = []string{c.text}
		with, err := json.Marshal(map[string]any{"inject": map[string]string{"shell": c.text}, "dir": c.dir})
		if err != nil {
			t.Fatal(err)
		}
		s.check(c.name, faulty("exec", "", string(with)), c.want)
	}
}

func TestAListedProgramThatOthersCanChangeIsRefused(t *testing.T) {
	s := newSite(t, config.Allow{})
	folder := filepath.Join(filepath.Dir(s.bin), "checkout", "experiments")
	s.catalog.settings.Server.Sources = []config.Source{{Name: "team", Folder: folder}}
	mode := func(path string, mode os.FileMode) string {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := s.program("open/folder/tool")
	mode(filepath.Dir(filepath.Dir(open)), 0o777)
	sticky := s.program("sticky/tool")
	mode(filepath.Dir(sticky), 0o777|os.ModeSticky)
	inSource := s.program(folder + "/tool")
	besideSource := s.program(filepath.Dir(folder) + "/tool")
	if err := os.MkdirAll(filepath.Join(filepath.Dir(folder), ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"in a folder of one's own", s.program("tool"), ""},
		{"in a folder like /tmp", sticky, ""},
		{"that others write", mode(s.program("written"), 0o757), "can be written by others"},
		{"that a group writes", mode(s.program("shared"), 0o775), "can be written by others"},
		{"below a folder that others write", open, "can be written by others"},
		{"in a source", inSource, "whoever writes experiments can change"},
		{"in the checkout of a source", besideSource, "whoever writes experiments can change"},
		{"in a clone", s.program(s.catalog.settings.State + "/sources/r/trees/1/tool"), "whoever writes experiments can change"},
		{"a link into a source", s.link(inSource, "linked"), "whoever writes experiments can change"},
		{"a link through a folder that others write", s.link(open, "through"), "can be written by others"},
	} {
		s.catalog.settings.Server.Allow.Commands = []string{c.path}
		with, err := json.Marshal(map[string]any{"argv": []string{c.path}})
		if err != nil {
			t.Fatal(err)
		}
		s.check(c.name, probing("exec", string(with), ""), c.want)
	}
}

// Whoever adds a kind must say what it uses, or no server runs it.
func TestAKindThatDoesNotDeclareIsRefused(t *testing.T) {
	p := Policy{kinds: experiments.Catalogs{
		Probes: []mishap.ProbeKind{{Kind: mishap.Kind{Name: "p"}}}, Injectors: []mishap.InjectorKind{{Kind: mishap.Kind{Name: "i"}}},
		Safeguards: []mishap.SafeguardKind{{Kind: mishap.Kind{Name: "s"}}}, Sources: []mishap.SourceKind{{Kind: mishap.Kind{Name: "m"}}},
	}}
	for want, e := range map[string]mishap.Experiment{
		`probe "p"`: probing("p", "", ""), `injector "i"`: faulty("i", "", ""), `safeguard "s"`: guarded("s", ""), `source "m"`: compared("m", ""),
	} {
		if got := p.Forbidden(e); !strings.Contains(got, want+" does not declare") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEveryKindDeclaresWhatItUses(t *testing.T) {
	kinds := New(Options{Settings: new(config.Settings)}).Checked()
	var silent []string
	for _, k := range kinds.Probes {
		if k.Uses == nil {
			silent = append(silent, k.Name)
		}
	}
	for _, k := range kinds.Injectors {
		if k.Uses == nil {
			silent = append(silent, k.Name)
		}
	}
	for _, k := range kinds.Safeguards {
		if k.Uses == nil {
			silent = append(silent, k.Name)
		}
	}
	for _, k := range kinds.Sources {
		if k.Uses == nil {
			silent = append(silent, k.Name)
		}
	}
	slices.Sort(silent)
	if silent != nil {
		t.Errorf("these declare nothing: %s", strings.Join(silent, ", "))
	}
}
