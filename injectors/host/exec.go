package host

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/target"
)

// execWith is the user's own fault: the commands that cause, undo and see it.
type execWith struct {
	Prepare  command                  `json:"prepare,omitzero" jsonschema:"command that only reads; its output, at most 64 KiB, is the undo and comes back on the standard input of the others"`
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
				"prepare must only read, since `plan` runs it too; what it prints is the undo, and the standard input of the others. " +
				"After a revert, verify must say that the fault is not in force. " +
				"Commands see MISHAP_RUN, MISHAP_FAULT and MISHAP_INJECTION, and keep the folder and PATH they were prepared with; a command that is not done in time is killed with its children.",
			Params:  execWith{},
			Example: "injector: exec\nwith:\n  inject: [touch, /tmp/maintenance]\n  revert: [rm, -f, /tmp/maintenance]\n  verify: [test, -e, /tmp/maintenance]\n  diesWith: boot\nfor: 10s",
		},
		Symptom: mishap.SymptomOther, Keeper: mishap.KeeperProcess,
		Do: []string{"whatever the inject command needs"}, Undo: []string{"whatever the revert command needs"},
		WhenLost: "the fault stays until what diesWith names ends, or `mishap revert`",
		New: func(f mishap.Fault) (mishap.Injector, error) {
			with, err := readExec(f.With)
			return &execFault{deps: d}, errors.Join(err, with.check(f.Targets))
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) { return &execFault{deps: d}, nil },
		Uses: func(f mishap.Fault) (mishap.Uses, error) {
			with, err := readExec(f.With)
			return with.uses(), err
		},
	}
}

func readExec(raw json.RawMessage) (execWith, error) {
	with := execWith{Timeout: mishap.Duration(execTimeout)}
	err := mishap.Decode("with", raw, &with)
	return with, err
}

// uses is every command, with what all of them get.
func (w execWith) uses() mishap.Uses {
	u := mishap.UsesOf(w)
	env := slices.Sorted(maps.Keys(w.Env))
	for _, c := range w.commands() {
		started := mishap.Command{Shell: c.Shell, Dir: w.Dir, Env: env}
		if c.Shell == "" {
			started.Program = c.Argv[0]
		}
		u.Commands = append(u.Commands, started)
	}
	return u
}

// commands are those that are given.
func (w execWith) commands() (given []command) {
	for _, c := range []command{w.Prepare, w.Inject, w.Revert, w.Verify} {
		if c.given() {
			given = append(given, c)
		}
	}
	return given
}

func (w execWith) check(targets json.RawMessage) error {
	var problems []error
	wrong := func(path, msg string) {
		problems = append(problems, &mishap.FieldError{Path: path, Msg: msg})
	}
	need := func(path string, c command, what string) {
		if !c.given() {
			wrong(path, "is missing: "+what)
		}
	}
	if len(targets) > 0 && string(targets) != "null" {
		wrong("targets", "exec has no targets; its commands say what they change")
	}
	need("with.inject", w.Inject, "the command that causes the fault")
	need("with.revert", w.Revert, "the command that undoes it")
	need("with.verify", w.Verify, "a command that exits 0 while the fault is in force, and 1 when it is not")
	if w.Timeout.Std() <= 0 || w.Timeout.Std() > execLongest {
		wrong("with.timeout", fmt.Sprintf("%s is not above 0 and at most %s", w.Timeout, execLongest))
	}
	for name := range w.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.HasPrefix(name, "MISHAP_") {
			wrong("with.env", fmt.Sprintf("%q cannot be set; names hold no =, and those that begin with MISHAP_ are taken", name))
		}
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

// execUndo is what prepare printed, and what the commands need to mean the same
// in another process.
type execUndo struct {
	Prepared []byte `json:"prepared,omitempty"`
	Dir      string `json:"dir"`
	Path     string `json:"path"` // the PATH that commands are looked for in
}

// Prepare checks that the commands exist and runs the one that reads.
func (f *execFault) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	with, err := readExec(req.Fault.With)
	if err != nil {
		return nil, err
	}
	undo := execUndo{Path: os.Getenv("PATH")}
	if undo.Dir, err = filepath.Abs(with.Dir); err != nil {
		return nil, fmt.Errorf("find folder: %w", err)
	}
	if info, err := os.Stat(undo.Dir); err != nil || !info.IsDir() {
		return nil, mishap.WithHint(target.None("%s is not a folder", undo.Dir), "correct with.dir")
	}
	for _, c := range with.commands() {
		if _, err := c.program(undo); err != nil {
			return nil, err
		}
	}
	if _, err := f.variables(with.Env); err != nil {
		return nil, err
	}
	in := execInjection(req, with, undo)
	if with.Prepare.given() {
		recorded := in
		recorded.Run, recorded.Fault = req.Run, req.Fault.Name
		if undo.Prepared, err = f.run(ctx, recorded, undo, with, "prepare", with.Prepare); err != nil {
			return nil, err
		}
	}
	if in.Undo, err = json.Marshal(undo); err != nil {
		return nil, fmt.Errorf("write undo: %w", err)
	}
	return []mishap.Injection{in}, nil
}

func execInjection(req mishap.Request, with execWith, undo execUndo) mishap.Injection {
	args := with.Inject.args()
	sum := sha256.Sum256([]byte(strings.Join(args, "\x00") + "\x00" + undo.Dir))
	id := fmt.Sprintf("%s-%x", filepath.Base(args[0]), sum[:4])
	key := with.Key
	if key == "" {
		key = id
	}
	return mishap.Injection{
		Injector: req.Fault.Injector, With: req.Fault.With, Matched: 1,
		Target: mishap.Target{ID: id, Kind: "command", Name: beginning(strings.Join(args, " "))},
		Keys:   []mishap.Key{{Thing: "exec/" + key, Attribute: "command"}}, Notes: []string{"dies with " + with.DiesWith},
	}
}

// Inject runs the inject command.
func (f *execFault) Inject(ctx context.Context, in mishap.Injection) error {
	with, undo, err := recordedExec(in)
	if err != nil {
		return err
	}
	_, err = f.run(ctx, in, undo, with, "inject", with.Inject)
	return err
}

// Revert runs the revert command, and then verify, which must say no.
func (f *execFault) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	with, undo, err := recordedExec(in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	if _, err := f.run(ctx, in, undo, with, "revert", with.Revert); err != nil {
		return mishap.Reverted{}, err
	}
	e, err := f.Verify(ctx, in)
	switch {
	case err != nil:
		return mishap.Reverted{}, fmt.Errorf("read back: %w", err)
	case e.InForce != mishap.No:
		return mishap.Reverted{}, errors.New("the revert command succeeded, but the verify command says that the fault is still in force")
	}
	return mishap.Reverted{State: mishap.InjectionReverted}, nil
}

// Verify runs the verify command.
func (f *execFault) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	with, undo, err := recordedExec(in)
	if err != nil {
		return mishap.Effect{}, err
	}
	_, err = f.run(ctx, in, undo, with, "verify", with.Verify)
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
	if err = json.Unmarshal(in.Undo, &undo); err != nil || undo.Dir == "" {
		return with, undo, fmt.Errorf("read undo of %s: it names no folder", in.ID)
	}
	return with, undo, nil
}
