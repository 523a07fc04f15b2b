package injectors

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mishap"
)

// command is a list of arguments, or a shell's text when asked for by name.
type command struct {
	Argv  []string
	Shell string
}

// UnmarshalJSON reads [argv…] or {shell: text}.
func (c *command) UnmarshalJSON(data []byte) error {
	*c = command{}
	if json.Unmarshal(data, &c.Argv) == nil {
		if len(c.Argv) == 0 || c.Argv[0] == "" {
			return errors.New("the command is empty")
		}
		return nil
	}
	var named map[string]string
	if err := json.Unmarshal(data, &named); err != nil || len(named) != 1 || named["shell"] == "" {
		return errors.New("must be a list like [tc, qdisc, show], or {shell: \"…\"} if you want a shell")
	}
	c.Shell = named["shell"]
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (c command) MarshalJSON() ([]byte, error) {
	if c.Shell != "" {
		return json.Marshal(map[string]string{"shell": c.Shell})
	}
	return json.Marshal(c.Argv)
}

func (c command) given() bool { return c.Shell != "" || c.Argv != nil }

func (c command) args() []string {
	if c.Shell != "" {
		return []string{"/bin/sh", "-c", c.Shell}
	}
	return c.Argv
}

// execWith is the user's own fault: the commands that cause, undo and see it.
type execWith struct {
	Prepare  command                  `json:"prepare,omitzero" jsonschema:"command that only reads; its output is the undo and comes back on the standard input of the others"`
	Inject   command                  `json:"inject" jsonschema:"command that causes the fault; it may be run twice"`
	Revert   command                  `json:"revert" jsonschema:"command that undoes it; it may be run twice, and without inject"`
	Verify   command                  `json:"verify" jsonschema:"command that says whether the fault is in force: exit 0 yes, 1 no, else unknown"`
	DiesWith string                   `json:"diesWith" jsonschema:"what ends the fault if nobody reverts it: process, namespace, boot or nothing"`
	Key      string                   `json:"key,omitempty" jsonschema:"what the fault changes, so that no two change it at once; default: the inject command"`
	Env      map[string]mishap.Secret `json:"env,omitempty" jsonschema:"variables added to the environment; values may be secrets, looked up at each call"`
	Dir      string                   `json:"dir,omitempty" jsonschema:"folder to run in; default the folder that mishap was started in"`
	Timeout  mishap.Duration          `json:"timeout,omitzero" jsonschema:"of each command, default 10s, at most 25s"`
}

const (
	execTimeout = 10 * time.Second
	execLongest = 25 * time.Second // a call of an injector has 30 s
	mostUndo    = 64 << 10         // bytes of prepare's output
)

func execKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "exec",
			Summary: "causes and undoes a fault with your own commands",
			Doc: "inject, revert and verify are lists of arguments; no shell, unless you write {shell: …}. They must be safe to run twice, revert also without inject. " +
				"prepare only reads; what it prints is the undo, and the standard input of the others. " +
				"After a revert, verify must say that the fault is not in force. " +
				"Commands see MISHAP_RUN, MISHAP_FAULT and MISHAP_INJECTION.",
			Params:  execWith{},
			Example: "injector: exec\nwith:\n  inject: [touch, /tmp/maintenance]\n  revert: [rm, -f, /tmp/maintenance]\n  verify: [test, -e, /tmp/maintenance]\n  diesWith: boot\nfor: 10s",
		},
		Keeper: mishap.KeeperProcess,
		Do:     []string{"whatever the inject command needs"}, Undo: []string{"whatever the revert command needs"},
		WhenLost: "the fault stays until what diesWith names ends, or `mishap revert`",
		New: func(f mishap.Fault) (mishap.Injector, error) {
			with, err := readExec(f.With)
			return &execFault{deps: d}, errors.Join(err, with.check(f.Targets))
		},
	}
}

func readExec(raw json.RawMessage) (execWith, error) {
	with := execWith{Timeout: mishap.Duration(execTimeout)}
	err := mishap.Decode("with", raw, &with)
	return with, err
}

func (w execWith) check(targets json.RawMessage) error {
	var problems []error
	need := func(path string, c command, what string) {
		if !c.given() {
			problems = append(problems, &mishap.FieldError{Path: path, Msg: "is missing: " + what})
		}
	}
	if len(targets) > 0 && string(targets) != "null" {
		problems = append(problems, &mishap.FieldError{Path: "targets", Msg: "exec has no targets; its commands say what they change"})
	}
	need("with.inject", w.Inject, "the command that causes the fault")
	need("with.revert", w.Revert, "the command that undoes it")
	need("with.verify", w.Verify, "a command that exits 0 while the fault is in force, and 1 when it is not")
	if w.Timeout.Std() <= 0 || w.Timeout.Std() > execLongest {
		problems = append(problems, &mishap.FieldError{Path: "with.timeout", Msg: fmt.Sprintf("%s is outside of 1ns to %s", w.Timeout, execLongest)})
	}
	return errors.Join(append(problems, w.checkDiesWith())...)
}

func (w execWith) checkDiesWith() error {
	switch w.DiesWith {
	case "process", "namespace", "boot":
		return nil
	case "nothing":
		return &mishap.FieldError{Path: "with.diesWith", Msg: "a fault that dies with nothing would outlive this machine's boot, and nothing would revert it",
			Hint: "put the fault where a reboot ends it, and write diesWith: boot"}
	case "":
		return &mishap.FieldError{Path: "with.diesWith", Msg: "is missing: what ends the fault if nobody reverts it", Hint: "process, namespace or boot"}
	}
	return &mishap.FieldError{Path: "with.diesWith", Msg: fmt.Sprintf("%q is unknown", w.DiesWith), Hint: mishap.Suggest(w.DiesWith, []string{"process", "namespace", "boot", "nothing"})}
}

// execFault runs the user's commands.
type execFault struct{ deps Deps }

// execUndo is what prepare printed, and where the commands run.
type execUndo struct {
	Prepared []byte `json:"prepared,omitempty"`
	Dir      string `json:"dir"`
}

// Prepare checks that the commands exist and runs the one that reads.
func (f *execFault) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	with, err := readExec(req.Fault.With)
	if err != nil {
		return nil, err
	}
	dir := with.Dir
	if !filepath.IsAbs(dir) {
		here, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("find folder: %w", err)
		}
		dir = filepath.Join(here, dir)
	}
	for _, c := range []command{with.Prepare, with.Inject, with.Revert, with.Verify} {
		if err := findCommand(c, dir); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(with.Inject.args(), "\x00") + "\x00" + dir))
	id := fmt.Sprintf("%s-%x", filepath.Base(with.Inject.args()[0]), sum[:4])
	key := with.Key
	if key == "" {
		key = id
	}
	in := mishap.Injection{
		ID: "prepare", Run: req.Run, Fault: req.Fault.Name, Injector: req.Fault.Injector, With: req.Fault.With,
		Target:  mishap.Target{ID: id, Kind: "command", Name: excerpt(strings.Join(with.Inject.args(), " "))},
		Matched: 1, Keys: []string{"exec/" + key}, Notes: []string{"dies with " + with.DiesWith},
	}
	undo := execUndo{Dir: dir}
	if with.Prepare.given() {
		out, err := f.run(ctx, in, undo, with, with.Prepare)
		if err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		undo.Prepared = out
	}
	in.Undo, err = json.Marshal(undo)
	return []mishap.Injection{in}, err
}

func findCommand(c command, dir string) error {
	if !c.given() {
		return nil
	}
	name := c.args()[0]
	if strings.ContainsRune(name, '/') && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	if _, err := exec.LookPath(name); err != nil {
		return mishap.WithHint(noTarget("command %s cannot be run: %v", c.args()[0], err), "install it, or correct its name or path")
	}
	return nil
}

// Inject runs the inject command.
func (f *execFault) Inject(ctx context.Context, in mishap.Injection) error {
	with, undo, err := recordedExec(in)
	if err != nil {
		return err
	}
	_, err = f.run(ctx, in, undo, with, with.Inject)
	return err
}

// Revert runs the revert command, and then verify, which must say no.
func (f *execFault) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	with, undo, err := recordedExec(in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	if _, err := f.run(ctx, in, undo, with, with.Revert); err != nil {
		return mishap.Reverted{}, err
	}
	e, err := f.Verify(ctx, in)
	switch {
	case err != nil:
		return mishap.Reverted{}, fmt.Errorf("read back: %w", err)
	case e.InForce != mishap.No:
		return mishap.Reverted{}, fmt.Errorf("the revert command succeeded, but asked whether the fault is in force, verify says %s", e.InForce)
	}
	return mishap.Reverted{State: mishap.InjectionReverted}, nil
}

// Verify runs the verify command.
func (f *execFault) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	with, undo, err := recordedExec(in)
	if err != nil {
		return mishap.Effect{}, err
	}
	_, err = f.run(ctx, in, undo, with, with.Verify)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return mishap.Effect{InForce: mishap.Yes}, nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return mishap.Effect{InForce: mishap.No, Detail: "verify exited 1"}, nil
	}
	return mishap.Effect{}, err
}

func recordedExec(in mishap.Injection) (with execWith, undo execUndo, err error) {
	if with, err = readExec(in.With); err != nil {
		return with, undo, fmt.Errorf("read commands of %s: %w", in.ID, err)
	}
	if err = json.Unmarshal(in.Undo, &undo); err != nil {
		return with, undo, fmt.Errorf("read undo of %s: %w", in.ID, err)
	}
	return with, undo, nil
}

// run runs one command with the undo on its standard input, and kills it with
// all of its children when its time is over.
func (f *execFault) run(ctx context.Context, in mishap.Injection, undo execUndo, with execWith, c command) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, with.Timeout.Std())
	defer cancel()
	args := c.args()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	cmd.Dir, cmd.Stdin = undo.Dir, bytes.NewReader(undo.Prepared)
	cmd.Env = append(os.Environ(), "MISHAP_RUN="+in.Run, "MISHAP_FAULT="+in.Fault, "MISHAP_INJECTION="+in.ID)
	var secrets []string
	for name, value := range with.Env {
		text, err := f.secret(value)
		if err != nil {
			return nil, err
		}
		if value.IsReference() && text != "" {
			secrets = append(secrets, text)
		}
		cmd.Env = append(cmd.Env, name+"="+text)
	}
	var stdout, stderr limited
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	said := excerpt(stderr.String())
	for _, s := range secrets {
		said = strings.ReplaceAll(said, s, "[secret]")
	}
	switch {
	case err == nil && stdout.over:
		return nil, fmt.Errorf("%s printed more than %d bytes", args[0], mostUndo)
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s was not done within %s", args[0], with.Timeout)
	case said != "":
		return nil, fmt.Errorf("%s: %w: %s", args[0], err, said)
	}
	return nil, fmt.Errorf("%s: %w", args[0], err)
}

func (f *execFault) secret(s mishap.Secret) (string, error) {
	if !s.IsReference() || f.deps.Secret == nil {
		return s.Value, nil
	}
	return f.deps.Secret(s)
}

// limited keeps the first bytes and lets the rest pass.
type limited struct {
	bytes.Buffer
	over bool
}

// Write keeps what fits; it never fails, so that no command breaks on it.
func (l *limited) Write(p []byte) (int, error) {
	room := max(0, mostUndo-l.Len())
	l.over = l.over || len(p) > room
	_, _ = l.Buffer.Write(p[:min(len(p), room)])
	return len(p), nil
}

// excerpt is the beginning of a text that may be long, on one line.
func excerpt(text string) string {
	const longest = 120
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}
