package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/outside"
	"mishap/internal/target"
)

// processTargets says which processes of this machine are meant. All that are
// given must fit.
type processTargets struct {
	PID     int     `json:"pid,omitempty" jsonschema:"one process id"`
	PIDFile string  `json:"pidFile,omitempty" jsonschema:"file whose first line is a process id"`
	Name    string  `json:"name,omitempty" jsonschema:"name of the program, as ps -o comm shows it, or of its executable file"`
	Command pattern `json:"command,omitzero" jsonschema:"regular expression on the command line, its parts joined by spaces"`
	User    string  `json:"user,omitempty" jsonschema:"name or number of the owner"`
	target.Selection

	files *outside.Files // that may be read
}

func (t processTargets) check() error {
	var missing error
	if t.PID == 0 && t.PIDFile == "" && t.Name == "" && t.Command.Regexp == nil {
		missing = &mishap.FieldError{Path: "targets", Msg: "name no process", Hint: "give pid, pidFile, name or command"}
	}
	if t.PID < 0 {
		missing = &mishap.FieldError{Path: "targets.pid", Msg: fmt.Sprintf("%d is not a process id", t.PID)}
	}
	return errors.Join(missing, t.CheckSelection())
}

// uses is the pid file.
func (t processTargets) uses() mishap.Uses {
	u := mishap.UsesOf(t)
	if t.PIDFile != "" {
		u.Files = append(u.Files, t.PIDFile)
	}
	return u
}

func processStopKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "process-stop",
			Summary: "stops processes of this machine (SIGSTOP), and continues them",
			Doc: "The process keeps its memory, files and connections and does nothing: to its callers it hangs. " +
				"A process is told by boot, PID and start time, and signalled through a pidfd, so that another one that got its PID is never touched. " +
				"Of a pid file the first line counts, and one that is older than the process which has its number now is refused. " +
				"One that is stopped already is refused: there would be nothing to revert. " +
				"mishap itself, what started it, and kernel threads are never matched.",
			Params:  target.NoParams{},
			Example: "injector: process-stop\ntargets: {name: redis-server, pick: 1}\nfor: 30s",
		},
		Targets: processTargets{}, Symptom: mishap.SymptomUnreachable, Keeper: mishap.KeeperProcess, LinuxOnly: true, Samples: true,
		Do: []string{"kill(2) as the process's user, or CAP_KILL"}, Undo: []string{"kill(2) as the process's user, or CAP_KILL"},
		WhenLost: "the processes stay stopped until `mishap revert` or kill -CONT",
		New: func(f mishap.Fault) (mishap.Injector, error) {
			p := &processStop{targets: processTargets{files: d.Files}}
			err := target.Read(f, &p.targets)
			return p, errors.Join(err, p.targets.check())
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) { return &processStop{}, nil },
		Uses: func(f mishap.Fault) (mishap.Uses, error) {
			var t processTargets
			err := target.Read(f, &t)
			return t.uses(), err
		},
	}
}

// processStop stops processes.
type processStop struct{ targets processTargets }

// Prepare finds the processes, and refuses one that is stopped already.
func (f *processStop) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	return prepareProcesses(ctx, f.targets, req, func(p process) error {
		if !p.stopped() {
			return nil
		}
		return mishap.WithHint(fmt.Errorf("process %d (%s) is stopped already", p.PID, p.comm), "continue it first: kill -CONT, or end its debugger")
	})
}

// Inject stops the process, and returns when it has stopped.
func (f *processStop) Inject(ctx context.Context, in mishap.Injection) error {
	id, err := recordedProcess(in)
	if err != nil {
		return err
	}
	p, found, err := sendSignal(id, sigStop)
	if err != nil {
		return err
	}
	if !found {
		return target.None("process %d has ended", id.PID)
	}
	p, err = waitProcess(ctx, p, func(p process) bool { return p.stopped() || p.gone() })
	if err == nil && p.gone() {
		return target.None("process %d has ended", id.PID)
	}
	return err
}

// Revert continues the process. It does so also if the process does not look
// stopped, since the stop of an Inject that was cut short may still be pending,
// and SIGCONT clears that. A process that somebody else has continued is
// therefore not told from one that was never stopped: both are reverted.
func (f *processStop) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	id, err := recordedProcess(in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	p, found, err := sendSignal(id, sigContinue)
	if err == nil && found {
		p, err = waitProcess(ctx, p, func(p process) bool { return !p.stopped() })
	}
	switch {
	case err != nil:
		return mishap.Reverted{}, err
	case !found || p.gone():
		return mishap.Reverted{State: mishap.InjectionGone, Detail: ended(id)}, nil
	}
	return mishap.Reverted{State: mishap.InjectionReverted}, nil
}

// Verify reads the process's state.
func (f *processStop) Verify(_ context.Context, in mishap.Injection) (mishap.Effect, error) {
	id, err := recordedProcess(in)
	if err != nil {
		return mishap.Effect{}, err
	}
	p, found, err := lookUp(id)
	switch {
	case err != nil:
		return mishap.Effect{}, err
	case !found || p.gone():
		return mishap.Effect{InForce: mishap.No, Detail: ended(id)}, nil
	case p.stopped():
		return mishap.Effect{InForce: mishap.Yes}, nil
	}
	return mishap.Effect{InForce: mishap.No, Detail: fmt.Sprintf("process %d is running", id.PID)}, nil
}

// identity names one process for ever.
type identity struct {
	Boot  string `json:"boot"` // /proc/sys/kernel/random/boot_id
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
}

// key is a resource key of the process.
func (i identity) key(attribute string) mishap.Key {
	return mishap.Key{Thing: fmt.Sprintf("process/%s/%d/%d", i.Boot, i.PID, i.Start), Attribute: attribute}
}

// site is where a PID means what it does.
type site struct {
	Boot      string `json:"boot"`
	Machine   string `json:"machine,omitempty"`   // /etc/machine-id, if there is one
	Namespace string `json:"namespace,omitempty"` // of PIDs, as the kernel names it
}

// processUndo is which process to continue, and from where.
type processUndo struct {
	identity
	Machine   string `json:"machine,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// process is what /proc says of one.
type process struct {
	identity
	comm, program, command, user string
	parent                       int
	state                        byte // as in proc_pid_stat(5); 0 when there is no such process
	kernel                       bool // a thread of the kernel
}

// stopped reports whether it was stopped by a signal or a debugger.
func (p process) stopped() bool { return p.state == 'T' || p.state == 't' }

// gone reports whether nothing runs any more: a zombie cannot act.
func (p process) gone() bool { return p.state == 'Z' || p.state == 'X' || p.state == 0 }

func ended(id identity) string { return fmt.Sprintf("process %d has ended", id.PID) }

// prepareProcesses finds what the targets mean; refuse may say why one that was
// chosen cannot be taken.
func prepareProcesses(ctx context.Context, t processTargets, req mishap.Request, refuse func(process) error) ([]mishap.Injection, error) {
	here, err := findSite()
	if err != nil {
		return nil, err
	}
	matched, spared, err := findProcesses(ctx, here.Boot, t)
	switch {
	case err != nil:
		return nil, err
	case len(matched) == 0 && spared > 0:
		return nil, mishap.WithHint(target.None("the targets of %q fit only mishap itself or what started it", req.Fault.Name), "narrow them")
	case len(matched) == 0:
		return nil, target.None("no process fits the targets of %q", req.Fault.Name)
	}
	picked, err := target.Choose(t.Selection, req, matched)
	if err != nil {
		return nil, err
	}
	var out []mishap.Injection
	for i, p := range picked.Chosen {
		if err := refuse(p); err != nil {
			return nil, err
		}
		undo, err := json.Marshal(processUndo{identity: p.identity, Machine: here.Machine, Namespace: here.Namespace})
		if err != nil {
			return nil, fmt.Errorf("write undo: %w", err)
		}
		in := mishap.Injection{
			Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo, Matched: len(matched),
			Keys:   []mishap.Key{p.key("state")},
			Target: p.target(),
		}
		if picked.Control != nil {
			like := picked.Control[i].target()
			in.Control = &like
			in.Keys = append(in.Keys, picked.Control[i].key(mishap.ControlAttribute))
		}
		if picked.Note != "" {
			in.Notes = []string{picked.Note}
		}
		out = append(out, in)
	}
	return out, nil
}

// target is the process for a plan.
func (p process) target() mishap.Target {
	return mishap.Target{ID: fmt.Sprintf("%.8s:%d:%d", p.Boot, p.PID, p.Start), Kind: "process", Name: p.comm}
}

// recordedProcess reads which process an injection is on. It refuses where the
// PID could mean another process, so that "not found" is never taken for gone.
func recordedProcess(in mishap.Injection) (identity, error) {
	var undo processUndo
	if err := json.Unmarshal(in.Undo, &undo); err != nil || undo.PID <= 0 || undo.Boot == "" {
		return identity{}, fmt.Errorf("read undo of %s: it names no process", in.ID)
	}
	here, err := findSite()
	if err != nil {
		return identity{}, err
	}
	return undo.identity, undo.reachable(here)
}

// reachable reports why the process cannot be seen from here. After a new boot
// of its machine there is nothing to see, and that is known.
func (u processUndo) reachable(here site) error {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	switch {
	case u.Boot != here.Boot && differ(u.Machine, here.Machine):
		return mishap.WithHint(fmt.Errorf("process %d is on another machine", u.PID), "revert on the machine where it was injected")
	case u.Boot == here.Boot && differ(u.Namespace, here.Namespace):
		return mishap.WithHint(fmt.Errorf("process %d is of another PID namespace", u.PID), "revert in the container, or outside of it, where it was injected")
	}
	return nil
}

// settleWithin is how long a process may take to obey a signal; a call of an
// injector has 30 s.
const settleWithin = 25 * time.Second

// waitProcess looks until the process is as it should be, and returns it as it
// is then: a signal is taken by each thread when it gets to it.
func waitProcess(ctx context.Context, p process, done func(process) bool) (process, error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for pause := time.Millisecond; !done(p); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("wait for process %d, which is in state %c: %w", p.PID, p.state, ctx.Err())
		case <-time.After(pause):
		}
		now, found, err := lookUp(p.identity)
		if err != nil {
			return p, err
		}
		if !found {
			now = process{identity: p.identity}
		}
		p = now
	}
	return p, nil
}
