package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"mishap"
)

type killWith struct {
	Signal string `json:"signal,omitempty" jsonschema:"KILL (default) ends the process at once; TERM asks it to end"`
}

func processKillKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "process-kill",
			Summary: "ends processes of this machine (SIGKILL or SIGTERM); there is no undo",
			Doc: "With KILL the process ends at once, without a chance to clean up; with TERM it is asked to end, and must have ended within 25 s. " +
				"Whoever supervises it may start it again. " +
				"mishap cannot undo this, so that a plan needs the safeguard irreversible with allow: true.",
			Params:  killWith{},
			Example: "injector: process-kill\ntargets: {command: 'gunicorn: worker', pick: 1}\nfor: 30s",
		},
		Targets: processTargets{}, Class: mishap.Irreversible, Symptom: mishap.SymptomGone, Keeper: mishap.KeeperProcess, LinuxOnly: true, Samples: true,
		Do:       []string{"kill(2) as the process's user, or CAP_KILL"},
		WhenLost: "nothing: the processes are gone already",
		New: func(f mishap.Fault) (mishap.Injector, error) {
			t, err := readKill(f)
			t.files = d.Files
			return &processKill{targets: t}, errors.Join(err, t.check())
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) { return &processKill{}, nil },
		Uses: func(f mishap.Fault) (mishap.Uses, error) {
			t, err := readKill(f)
			return t.uses(), err
		},
	}
}

// readKill reads a fault's targets, and its signal, which is read again where it
// is sent.
func readKill(f mishap.Fault) (t processTargets, err error) {
	_, bad := readSignal(f.With)
	err = errors.Join(mishap.Decode("targets", f.Targets, &t), bad)
	return t, err
}

func readSignal(raw json.RawMessage) (syscall.Signal, error) {
	with := killWith{Signal: "KILL"}
	if err := mishap.Decode("with", raw, &with); err != nil {
		return 0, err
	}
	switch with.Signal {
	case "KILL":
		return syscall.SIGKILL, nil
	case "TERM":
		return syscall.SIGTERM, nil
	}
	return 0, &mishap.FieldError{Path: "with.signal", Msg: fmt.Sprintf("%q is unknown", with.Signal), Hint: mishap.Suggest(with.Signal, []string{"KILL", "TERM"})}
}

// processKill ends processes.
type processKill struct{ targets processTargets }

// Prepare finds the processes.
func (f *processKill) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	return prepareProcesses(ctx, f.targets, req, func(process) error { return nil })
}

// Inject ends the process, and returns when it has ended.
func (f *processKill) Inject(ctx context.Context, in mishap.Injection) error {
	signal, err := readSignal(in.With)
	if err != nil {
		return fmt.Errorf("read signal of %s: %w", in.ID, err)
	}
	id, err := recordedProcess(in)
	if err != nil {
		return err
	}
	p, found, err := sendSignal(id, signal)
	if err != nil || !found {
		return err // not found: it has ended, which is all that was wanted
	}
	_, err = waitProcess(ctx, p, process.gone)
	return err
}

// Revert answers gone: nobody can put the process back.
func (f *processKill) Revert(context.Context, mishap.Injection) (mishap.Reverted, error) {
	return mishap.Reverted{State: mishap.InjectionGone, Detail: "a process that was ended cannot be brought back"}, nil
}

// Verify reports whether the process has ended.
func (f *processKill) Verify(_ context.Context, in mishap.Injection) (mishap.Effect, error) {
	id, err := recordedProcess(in)
	if err != nil {
		return mishap.Effect{}, err
	}
	p, found, err := lookUp(id)
	switch {
	case err != nil:
		return mishap.Effect{}, err
	case !found || p.gone():
		return mishap.Effect{InForce: mishap.Yes, Detail: ended(id)}, nil
	}
	return mishap.Effect{InForce: mishap.No, Detail: fmt.Sprintf("process %d is running", id.PID)}, nil
}
