package injectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// processTargets says which processes of this machine are meant. All that are
// given must fit.
type processTargets struct {
	PID     int     `json:"pid,omitempty" jsonschema:"one process id"`
	PIDFile string  `json:"pidFile,omitempty" jsonschema:"file that holds a process id"`
	Name    string  `json:"name,omitempty" jsonschema:"name of the program, as ps -o comm shows it"`
	Command pattern `json:"command,omitzero" jsonschema:"regular expression on the command line, its parts joined by spaces"`
	User    string  `json:"user,omitempty" jsonschema:"name or number of the owner"`
	selection
}

func (t processTargets) check() error {
	if t.PID == 0 && t.PIDFile == "" && t.Name == "" && t.Command.Regexp == nil {
		return &mishap.FieldError{Path: "targets", Msg: "name no process", Hint: "give pid, pidFile, name or command"}
	}
	if t.PID < 0 {
		return &mishap.FieldError{Path: "targets.pid", Msg: fmt.Sprintf("%d is not a process id", t.PID)}
	}
	return t.selection.check()
}

type noParams struct{}

func processStopKind() mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "process-stop",
			Summary: "stops processes of this machine (SIGSTOP), and continues them",
			Doc: "The process keeps its memory, files and connections and does nothing: to its callers it hangs. " +
				"A process is told by boot, PID and start time, and signalled through a pidfd, so that another one that got its PID is never touched. " +
				"One that is stopped already is refused: there would be nothing to put back.",
			Params:  noParams{},
			Example: "injector: process-stop\ntargets: {name: redis-server, pick: 1}\nfor: 30s",
		},
		Targets: processTargets{}, Keeper: mishap.KeeperProcess, LinuxOnly: true,
		Do: []string{"kill(2) as the process's user, or CAP_KILL"}, Undo: []string{"kill(2) as the process's user, or CAP_KILL"},
		WhenLost: "the processes stay stopped until `mishap revert` or kill -CONT",
		New:      func(f mishap.Fault) (mishap.Injector, error) { return newProcessFault(f, false) },
	}
}

func processKillKind() mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "process-kill",
			Summary: "kills processes of this machine (SIGKILL); there is no undo",
			Doc: "The process ends at once, without a chance to clean up; whoever supervises it may start it again. " +
				"mishap cannot undo this, so that a plan needs the safeguard irreversible with allow: true.",
			Params:  noParams{},
			Example: "injector: process-kill\ntargets: {command: 'gunicorn: worker', pick: 1}\nfor: 30s",
		},
		Targets: processTargets{}, Irreversible: true, Keeper: mishap.KeeperProcess, LinuxOnly: true,
		Do:       []string{"kill(2) as the process's user, or CAP_KILL"},
		WhenLost: "nothing: the processes are gone already",
		New:      func(f mishap.Fault) (mishap.Injector, error) { return newProcessFault(f, true) },
	}
}

func newProcessFault(f mishap.Fault, kill bool) (mishap.Injector, error) {
	p := &processFault{kill: kill}
	err := errors.Join(mishap.Decode("targets", f.Targets, &p.targets), mishap.Decode("with", f.With, &noParams{}))
	return p, errors.Join(err, p.targets.check())
}

// processFault stops or kills processes.
type processFault struct {
	kill    bool
	targets processTargets
}

// identity names one process for ever.
type identity struct {
	Boot  string `json:"boot"`  // /proc/sys/kernel/random/boot_id
	PID   int    `json:"pid"`   //
	Start uint64 `json:"start"` // clock ticks after boot
}

func (id identity) key() string { return fmt.Sprintf("process/%s/%d/%d", id.Boot, id.PID, id.Start) }

// process is what /proc says of one.
type process struct {
	identity
	comm, command, user string
	state               byte // as in proc_pid_stat(5)
}

// stopped reports whether it was stopped by a signal or a debugger.
func (p process) stopped() bool { return p.state == 'T' || p.state == 't' }

// gone reports whether nothing runs any more.
func (p process) gone() bool { return p.state == 'Z' || p.state == 'X' || p.state == 0 }

// Prepare finds the processes.
func (f *processFault) Prepare(_ context.Context, req mishap.Request) ([]mishap.Injection, error) {
	matched, err := findProcesses(f.targets)
	if err != nil {
		return nil, err
	}
	if len(matched) == 0 {
		return nil, noTarget("no process fits the targets of %q", req.Fault.Name)
	}
	chosen, note := choose(f.targets.selection, req.Fault.Name, matched)
	var out []mishap.Injection
	for _, p := range chosen {
		if p.stopped() && !f.kill {
			return nil, mishap.WithHint(fmt.Errorf("process %d (%s) is stopped already", p.PID, p.comm), "continue it first: kill -CONT")
		}
		in, err := f.injection(req, p)
		if err != nil {
			return nil, err
		}
		in.Matched = len(matched)
		if note != "" {
			in.Notes = append(in.Notes, note)
		}
		out = append(out, in)
	}
	return out, nil
}

func (f *processFault) injection(req mishap.Request, p process) (mishap.Injection, error) {
	undo, err := json.Marshal(p.identity)
	if err != nil {
		return mishap.Injection{}, err
	}
	return mishap.Injection{
		Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo, Keys: []string{p.key() + "/state"},
		Target: mishap.Target{ID: fmt.Sprintf("%.8s:%d:%d", p.Boot, p.PID, p.Start), Kind: "process", Name: p.comm},
	}, nil
}

func recordedIdentity(in mishap.Injection) (id identity, err error) {
	if err := json.Unmarshal(in.Undo, &id); err != nil || id.PID <= 0 {
		return id, fmt.Errorf("read undo of %s: it names no process", in.ID)
	}
	return id, nil
}

// Inject sends the signal and waits until the kernel says so.
func (f *processFault) Inject(ctx context.Context, in mishap.Injection) error {
	id, err := recordedIdentity(in)
	if err != nil {
		return err
	}
	signal, done := sigStop, process.stopped
	if f.kill {
		signal, done = sigKill, process.gone
	}
	p, found, err := sendSignal(id, signal)
	if err != nil {
		return err
	}
	if !found && !f.kill {
		return noTarget("process %d is gone", id.PID)
	}
	return waitProcess(ctx, id, p, done)
}

// Revert continues the process. One that is gone, or of an earlier boot, needs
// nothing.
func (f *processFault) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	id, err := recordedIdentity(in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	if f.kill {
		return mishap.Reverted{State: mishap.InjectionGone, Detail: "a killed process cannot be put back"}, nil
	}
	p, found, err := sendSignal(id, sigContinue)
	if err != nil {
		return mishap.Reverted{}, err
	}
	if !found {
		return mishap.Reverted{State: mishap.InjectionGone, Detail: fmt.Sprintf("process %d has ended", id.PID)}, nil
	}
	running := func(p process) bool { return !p.stopped() }
	if err := waitProcess(ctx, id, p, running); err != nil {
		return mishap.Reverted{}, err
	}
	return mishap.Reverted{State: mishap.InjectionReverted}, nil
}

// Verify reads the process's state.
func (f *processFault) Verify(_ context.Context, in mishap.Injection) (mishap.Effect, error) {
	id, err := recordedIdentity(in)
	if err != nil {
		return mishap.Effect{}, err
	}
	p, found, err := lookUp(id)
	switch {
	case err != nil:
		return mishap.Effect{}, err
	case f.kill && (!found || p.gone()), !f.kill && found && p.stopped():
		return mishap.Effect{InForce: mishap.Yes}, nil
	case !found || p.gone():
		return mishap.Effect{InForce: mishap.No, Detail: fmt.Sprintf("process %d has ended", id.PID)}, nil
	}
	return mishap.Effect{InForce: mishap.No, Detail: fmt.Sprintf("process %d is running", id.PID)}, nil
}

// waitProcess looks until the process is as it should be: a signal is taken by
// each thread when it gets to it.
func waitProcess(ctx context.Context, id identity, p process, done func(process) bool) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if done(p) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for process %d, which is in state %c: %w", id.PID, p.state, ctx.Err())
		case <-time.After(pause):
		}
		var found bool
		var err error
		if p, found, err = lookUp(id); err != nil {
			return err
		} else if !found {
			p = process{}
		}
	}
}
