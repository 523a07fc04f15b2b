package host_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/host"
	"mishap/internal/injectortest"
	"mishap/internal/outside"
)

// execWorld is a folder with a marker file, or without.
func execWorld() injectortest.World {
	w := world(host.Deps{Secret: lookUp}, "exec")
	var dir string
	w.Fault = func(t *testing.T) mishap.Fault {
		dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "bystander"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return fault("exec", nil, execWith(dir, map[string]any{
			"prepare": []string{"ls"}, "inject": []string{"touch", "marker"}, "revert": []string{"rm", "-f", "marker"}, "verify": []string{"test", "-e", "marker"},
		}))
	}
	w.More = func(t *testing.T) map[string]mishap.Fault {
		t.Setenv("EXEC_TOKEN", "of the environment")
		return map[string]mishap.Fault{"every parameter": fault("exec", nil, execWith(dir, map[string]any{
			"prepare": shell("pwd"), "inject": map[string]any{"argv": []string{"touch", "marker"}}, "revert": shell("rm -f marker"), "verify": shell("test -e marker"),
			"env": map[string]any{"PLAIN": "text", "TOKEN": map[string]string{"env": "EXEC_TOKEN"}, "KEY": map[string]string{"file": filepath.Join(dir, "bystander")}},
			"key": "marker", "timeout": "20s",
		}))}
	}
	w.Empty = fault("exec", nil, execWith("", map[string]any{"inject": []string{"there-is-no-such-command"}}))
	w.Snapshot = func(t *testing.T) string {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	return w
}

// lookUp looks a secret up.
func lookUp(s mishap.Secret) (string, error) {
	if s.Env != "" {
		return os.Getenv(s.Env), nil
	}
	text, err := outside.ReadFile(s.File)
	return string(text), err
}

// execWith is a fault that does nothing, changed by what a test needs.
func execWith(dir string, more map[string]any) map[string]any {
	with := map[string]any{
		"inject": []string{"true"}, "revert": []string{"true"}, "verify": []string{"false"}, "diesWith": "boot", "dir": dir,
	}
	for k, v := range more {
		with[k] = v
	}
	return with
}

func shell(text string) map[string]string { return map[string]string{"shell": text} }

// preparedExec prepares one exec fault, which must work.
func preparedExec(t *testing.T, d host.Deps, with map[string]any) (mishap.Injector, mishap.Injection) {
	t.Helper()
	injector, found, err := prepared(t, d, fault("exec", nil, with))
	if err != nil || len(found) != 1 {
		t.Fatalf("prepare found %d, %v", len(found), err)
	}
	return injector, found[0]
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatPreparePrintsIsPutBackByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	original := "speed = 10\x00\xff\n"
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(original), 0o600); err != nil {
		t.Fatal(err)
	}
	injector, in := preparedExec(t, host.Deps{}, execWith(dir, map[string]any{
		"prepare": []string{"cat", "config"}, "inject": shell("echo speed = 0 > config"),
		"revert": shell("cat > config"), "verify": []string{"grep", "-q", "speed = 0", "config"},
	}))
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != "speed = 0\n" {
		t.Fatalf("inject left %q", got)
	}
	t.Chdir(t.TempDir()) // who reverts need not stand where the fault was prepared
	t.Setenv("PATH", "/nowhere")
	other, err := kind(host.Deps{}, in.Injector).Restore(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Revert(t.Context(), in); err != nil || got.State != mishap.InjectionReverted {
		t.Fatalf("revert answered %+v, %v", got, err)
	}
	if got := read(t, file); got != original {
		t.Errorf("revert left %q, want %q", got, original)
	}
}

func TestRevertBelievesOnlyVerify(t *testing.T) {
	for exit, want := range map[int]string{0: "still in force", 1: "", 2: "read back"} {
		injector, in := preparedExec(t, host.Deps{}, execWith(t.TempDir(), map[string]any{"verify": shell(fmt.Sprintf("exit %d", exit))}))
		got, err := injector.Revert(t.Context(), in)
		switch {
		case want == "" && (err != nil || got.State != mishap.InjectionReverted):
			t.Errorf("when verify exits %d, revert answered %+v, %v", exit, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("when verify exits %d, revert answered %+v, %v, want an error with %q", exit, got, err, want)
		}
	}
}

func TestVerifyThatFailsIsNotAnAnswer(t *testing.T) {
	injector, in := preparedExec(t, host.Deps{}, execWith(t.TempDir(), map[string]any{"verify": shell("echo no permission >&2; exit 3")}))
	if e, err := injector.Verify(t.Context(), in); err == nil || !strings.Contains(err.Error(), "no permission") {
		t.Errorf("verify answered %+v, %v", e, err)
	}
}

func TestACommandThatIsLateIsKilledWithItsChildren(t *testing.T) {
	dir := t.TempDir()
	injector, in := preparedExec(t, host.Deps{}, execWith(dir, map[string]any{
		"inject": shell("sleep 1000 & echo $! > pid; wait"), "timeout": "500ms",
	}))
	err := injector.Inject(t.Context(), in)
	if err == nil || !strings.Contains(err.Error(), "not done after") {
		t.Errorf("inject answered %v", err)
	}
	mustEnd(t, filepath.Join(dir, "pid"))
}

// mustEnd waits until the process whose id is in the file has ended.
func mustEnd(t *testing.T, file string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	for deadline := time.Now().Add(2 * time.Minute); running(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d of the command still runs", pid)
		}
	}
}

// running is not fooled by a zombie that nobody has waited for yet.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	return !strings.Contains(string(stat), ") Z ")
}

func TestInjectMayLeaveSomethingRunning(t *testing.T) {
	dir := t.TempDir()
	injector, in := preparedExec(t, host.Deps{}, execWith(dir, map[string]any{
		"inject": shell("sleep 1000 & echo $! > pid"), "revert": shell("kill $(cat pid) 2>/dev/null; rm -f pid"),
		"verify": []string{"test", "-e", "pid"},
	}))
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(read(t, dir, "pid")))
	if !running(pid) {
		t.Error("what inject started was ended with it")
	}
	if got, err := injector.Revert(t.Context(), in); err != nil || got.State != mishap.InjectionReverted {
		t.Errorf("revert answered %+v, %v", got, err)
	}
}

func TestSecretsReachTheCommandAndNothingElse(t *testing.T) {
	const secret = "hunter2 correct\nhorse"
	d := host.Deps{Secret: func(mishap.Secret) (string, error) { return secret, nil }}
	dir := t.TempDir()
	env := map[string]any{"PASSWORD": map[string]string{"env": "TOKEN"}, "PLAIN": "plain"}
	injector, in := preparedExec(t, d, execWith(dir, map[string]any{
		"env": env, "inject": shell(`printf %s "$PASSWORD" > got; echo "login with $PLAIN/$PASSWORD refused" >&2; exit 3`),
	}))
	err := injector.Inject(t.Context(), in)
	if got := read(t, dir, "got"); got != secret {
		t.Errorf("the command got %q", got)
	}
	for _, text := range []string{fmt.Sprint(err), string(in.Undo), string(in.With), in.Target.Name} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "horse") {
			t.Errorf("the secret is in %q", text)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "login with plain/[secret] refused") {
		t.Errorf("inject answered %v", err)
	}
	_, _, err = prepared(t, d, fault("exec", nil, execWith(dir, map[string]any{"env": env, "prepare": shell(`echo "$PASSWORD"`)})))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a prepare that prints a secret answered %v, want an error without it", err)
	}
}

func TestASecretThatCannotBeLookedUpIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	missing := errors.New("environment variable TOKEN of a secret is not set")
	for name, d := range map[string]host.Deps{
		"nothing looks it up": {},
		"it is not there":     {Secret: func(mishap.Secret) (string, error) { return "", missing }},
	} {
		_, _, err := prepared(t, d, fault("exec", nil, execWith(t.TempDir(), map[string]any{"env": map[string]any{"A": map[string]string{"env": "TOKEN"}}})))
		if err == nil {
			t.Errorf("%s: prepare did not mind", name)
		}
	}
}

func TestCommandsAreToldWhoseTheyAre(t *testing.T) {
	dir := t.TempDir()
	injector, in := preparedExec(t, host.Deps{}, execWith(dir, map[string]any{"inject": shell(`echo "$MISHAP_RUN $MISHAP_FAULT $MISHAP_INJECTION" > who`)}))
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, "who"); got != "run fault run.1.1\n" {
		t.Errorf("the command was told %q", got)
	}
}

func TestThereIsNoShellUnlessNamed(t *testing.T) {
	dir := t.TempDir()
	for _, argv := range []any{[]string{"touch", "a; touch b"}, map[string]any{"argv": []string{"touch", "$(c)"}}} {
		injector, in := preparedExec(t, host.Deps{}, execWith(dir, map[string]any{"inject": argv}))
		if err := injector.Inject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"$(c)", "a; touch b"}; !slices.Equal(names, want) {
		t.Errorf("the commands made %q, want %q", names, want)
	}
}

func TestOutputIsLimitedAndErrorsShowItsEnd(t *testing.T) {
	flood := "yes 0123456789 | head -c 300000"
	_, _, err := prepared(t, host.Deps{}, fault("exec", nil, execWith(t.TempDir(), map[string]any{"prepare": shell(flood)})))
	if err == nil || !strings.Contains(err.Error(), "64 KiB") {
		t.Errorf("a prepare that prints too much answered %v", err)
	}
	injector, in := preparedExec(t, host.Deps{}, execWith(t.TempDir(), map[string]any{"inject": shell(flood + " >&2; echo disk is full >&2; exit 4")}))
	err = injector.Inject(t.Context(), in)
	if err == nil || !strings.HasSuffix(err.Error(), "disk is full") || len(err.Error()) > 500 {
		t.Errorf("inject answered %v", err)
	}
}

func TestExecFindsItsCommandsWhenItPrepares(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "text"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		more  map[string]any
		found bool
	}{
		{map[string]any{"inject": []string{"./script"}}, true},
		{map[string]any{"inject": []string{filepath.Join(dir, "script")}}, true},
		{map[string]any{"inject": []string{"./text"}}, false},
		{map[string]any{"revert": []string{"there-is-no-such-command"}}, false},
		{map[string]any{"verify": []string{"./nothing"}}, false},
		{map[string]any{"dir": filepath.Join(dir, "nothing")}, false},
	} {
		_, found, err := prepared(t, host.Deps{}, fault("exec", nil, execWith(dir, test.more)))
		var hinted *mishap.Hinted
		switch {
		case test.found && (err != nil || len(found) != 1):
			t.Errorf("%v: %v", test.more, err)
		case !test.found && (!errors.Is(err, mishap.ErrNoTarget) || !errors.As(err, &hinted)):
			t.Errorf("%v: the error is %v, want ErrNoTarget with a hint", test.more, err)
		}
	}
}

func TestTwoFaultsOnTheSameThingShareAKey(t *testing.T) {
	dir := t.TempDir()
	key := func(more map[string]any) string {
		_, in := preparedExec(t, host.Deps{}, execWith(dir, more))
		return fmt.Sprint(in.Keys)
	}
	if a, b := key(nil), key(map[string]any{"timeout": "3s"}); a != b {
		t.Errorf("the same inject command has keys %q and %q", a, b)
	}
	if a, b := key(nil), key(map[string]any{"inject": []string{"true", "x"}}); a == b {
		t.Errorf("two inject commands share the key %q", a)
	}
	named := map[string]any{"key": "eth0", "inject": []string{"true", "x"}}
	if got := key(named); got != "[exec/eth0#command]" {
		t.Errorf("the key is %q", got)
	}
}
