package aws_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/aid"
	"mishap/internal/awsfake"
	"mishap/internal/config"
	"mishap/internal/member"
	"mishap/internal/runner"
	"mishap/internal/sweep"
	"mishap/internal/vault"
)

// drift is somebody else who edits or removes what a fault is in, while it is in:
// once AWS shows what the fault did, and so long before it is reverted that AWS shows
// what they did. Between a look and a write nobody could.
func (a *astray) drift(over <-chan struct{}) {
	settles, stale := kindOf(a.faults[0]).Settles, a.settings.Stale
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-over:
			tick.Stop()
			return
		case <-tick.C:
		}
		a.mu.Lock()
		now := time.Now()
		at := a.holding.Add(settles + a.afterHolding)
		fits := a.state == mishap.Holding && now.After(at) && now.Add(stale+3*time.Second).Before(a.holding.Add(a.long))
		if fits && !a.struck && (a.cut == 0 || now.Add(stale).Before(a.began.Add(a.cutAt+swept))) {
			a.drifted, a.undying = true, now.Add(stale+time.Second)
		}
		is := a.drifted
		a.mu.Unlock()
		if is {
			a.edit(a.cloud)
			tick.Stop()
			return
		}
	}
}

// swept is how long nobody sweeps at least what was lost.
const swept = 35 * time.Second

// driftAfter is drift when nobody is left on the machine.
func (a *astray) driftAfter() {
	settles := kindOf(a.faults[0]).Settles
	if a.others == "" || a.drifted || a.dies != "both" || a.cut > 0 || settles+a.settings.Stale > swept {
		return
	}
	time.Sleep(settles)
	a.drifted = true
	a.edit(a.cloud)
	time.Sleep(a.settings.Stale)
}

func (a *astray) edit(c *awsfake.Cloud) {
	if row := trials()[a.faults[0]]; a.others == "remove" {
		row.remove(c, a.place(0))
	} else {
		row.others(c, a.place(0))
	}
}

func kindOf(name string) mishap.InjectorKind { return kind(aws.Deps{}, name) }

// run lets a machine run the experiment, until its server and its keeper are no more.
// An error is that nothing could be planned.
func (a *astray) run(m *machine, faults []mishap.Fault) error {
	deps := m.server.deps(a.placed(m.server))
	var all []runner.Fault
	plan := mishap.Plan{Experiment: mishap.Experiment{Name: "x", Faults: faults, Recovery: mishap.DefaultRecovery()}}
	for _, f := range faults {
		k := kind(deps, f.Injector)
		injector, err := k.New(f)
		if err != nil {
			a.Errorf("make injector: %v", err)
		}
		one := runner.Fault{Fault: f, Injector: injector, Kind: k}
		found, err := one.Prepare(a.Context(), mishap.Request{Run: "plan"})
		if err != nil {
			return err
		}
		all, plan.Injections = append(all, one), append(plan.Injections, found...)
	}
	first := mishap.Entry{Run: m.run, Seq: 1, At: time.Now(), Planned: &plan}
	m.book = &book{of: m.server, entries: []mishap.Entry{first}}
	ctx, leave := context.WithCancelCause(a.Context())
	defer leave(nil)
	m.leave = leave
	m.pipe = startKeeper(m.state, m.run, m.keeper, a.restore(m.keeper), a.vaults(m.keeper, m.by).Taken)
	m.pipe.bare = m != a.machine
	r := a.runner(m, m.server)
	r.Faults, r.Keeper = all, m.pipe
	run, _ := r.Run(ctx, first) // what it says, its entries do
	if m.server.dead.Load() {
		<-m.pipe.over
		return nil
	}
	if a.dies == "" && a.noise == 0 && a.cut == 0 && !a.rival && run.State != mishap.Completed {
		a.Errorf("a run that nothing happens to is %s: %s", run.State, run.Reason)
	}
	m.pipe.bye()
	return nil
}

func (a *astray) runner(m *machine, p *process) *runner.Runner {
	keep := a.vaults(p, m.by).Keep(m.run)
	m.pipe.holding.Store(keep)
	return &runner.Runner{
		Journal: m.book, Vault: keep, Stops: make(chan runner.Stop), Seen: m.seen, Restore: a.restore(p),
		Taken:        keep.Taken,
		Confirm:      func(context.Context) error { return keep.Confirm() },
		RevertWithin: 2 * time.Minute, Renew: 5 * time.Second, Look: 5 * time.Second,
	}
}

// runOfAnother is a run of another ledger, on another machine, that wants to put the
// first fault on the same targets, again and again until it may.
func (a *astray) runOfAnother(f mishap.Fault) {
	f.For = mishap.Duration(a.rivalFor + kindOf(f.Injector).Settles)
	time.Sleep(a.rivalAt)
	for try := range 12 {
		var holding atomic.Int64 // since when, in Unix nanoseconds; 0: it does not
		m := &machine{run: fmt.Sprint("run2x", try), by: "cy@tower", server: a.process("another-server", false), keeper: a.process("another-keeper", false), state: a.TempDir()}
		m.seen = func(_ mishap.Entry, run *mishap.Run) {
			if run.State != mishap.Holding {
				holding.Store(0)
			} else if holding.Load() == 0 {
				holding.Store(time.Now().UnixNano())
			}
		}
		over := make(chan struct{})
		var watch sync.WaitGroup
		watch.Go(func() { a.undisturbed(m, &holding, over) })
		_ = a.run(m, []mishap.Fault{f}) // it tries again
		close(over)
		watch.Wait()
		if m.injected {
			a.rivalHeld = true
			return
		}
		time.Sleep(20 * time.Second)
	}
}

// undisturbed wants what a run has injected to stay as long as it holds.
func (a *astray) undisturbed(m *machine, holding *atomic.Int64, over <-chan struct{}) {
	settles := kindOf(a.faults[0]).Settles + 5*time.Second
	p := a.process("onlooker", false)
	told := false
	for tick := time.NewTicker(2 * time.Second); ; {
		select {
		case <-over:
			tick.Stop()
			return
		case <-tick.C:
		}
		since := holding.Load()
		if told || since == 0 || time.Since(time.Unix(0, since)) < settles {
			continue
		}
		m.injected = true
		m.book.mu.Lock()
		all := slices.Clone(m.book.undo)
		m.book.mu.Unlock()
		injector, err := a.restore(p)(all[0])
		if err != nil {
			a.Error(err)
			continue
		}
		for i, r := range mishap.VerifyAll(a.Context(), injector, all) {
			if r.Err == nil && r.Value.InForce != mishap.Yes && holding.Load() == since {
				told = true
				a.Errorf("%s of another run is not in force after %s: %s", all[i].ID, time.Since(time.Unix(0, since)), r.Value.Detail)
			}
		}
	}
}

// recover is what the next command on the machine does, as far as something is left of
// ledger and state directory.
func (a *astray) recover() {
	m, p := a.machine, a.process("rescuer", false)
	vaults := a.vaults(p, "ann@laptop")
	aider := aid.New(aid.Options{
		Settings: &config.Settings{State: m.state}, Member: member.New(member.Options{State: m.state, Log: quiet()}),
		Restore: a.restore(p), Taken: vaults.Taken, Kinds: func() map[string]mishap.InjectorKind { return nil },
	})
	aider.Aiding(a.Context(), "")()
	aider.Aided(m.run)
	if a.noLedger || a.noState {
		_ = aider.Account(a.Context(), nil) // what is still in shows in the end
		return
	}
	for alive(m.state) {
		time.Sleep(time.Second)
	}
	m.book.mu.Lock()
	m.book.of = p
	entries, undo := slices.Clone(m.book.entries), slices.Clone(m.book.undo)
	m.book.mu.Unlock()
	if before, err := mishap.Replay(entries); err != nil || before.State.Ended() {
		return
	}
	_, _ = a.runner(m, p).Resume(a.Context(), entries, undo, mishap.StateChange{Cause: mishap.CauseCrash})
}

// sweeper is another machine, that knows nothing.
func (a *astray) sweeper() *sweep.Sweeper {
	p := a.process("sweeper", false)
	return &sweep.Sweeper{Vaults: a.vaults(p, "bob@desk"), Places: a.places(), Restore: a.restore(p), RevertWithin: 2 * time.Minute, Log: quiet()}
}

// live is a whole trial.
func (a *astray) live() {
	faults := a.put(a.cloud)
	time.Sleep(a.settings.Stale)
	a.began = time.Now()
	a.machine = &machine{run: "run1", by: "ann@laptop", server: a.process("server", true), keeper: a.process("keeper", true), state: a.TempDir(), seen: a.seen}
	ctx, end := context.WithCancel(a.Context())
	var beside, rivals sync.WaitGroup
	if a.swept {
		beside.Go(func() { a.sweeper().Watch(ctx, nobodys, func(vault.Found) {}) })
	}
	over := make(chan struct{})
	if a.others != "" {
		beside.Go(func() { a.drift(over) })
	}
	if a.rival {
		rivals.Go(func() { a.runOfAnother(faults[0]) })
	}
	a.cloud.Judge(a.goesWrong())
	if err := a.run(a.machine, faults); err != nil && !a.rival && a.noise == 0 {
		a.Errorf("plan: %v", err)
	}
	close(over)
	if a.struck {
		a.driftAfter()
		time.Sleep(a.back)
		a.recover()
	}
	rivals.Wait()
	time.Sleep(10 * time.Minute) // nothing goes wrong any more, and what is held is not
	end()
	beside.Wait()
	a.sweeper().Sweep(a.Context(), nil)
	time.Sleep(a.settings.Endpoint + a.settings.Start + time.Hour)
}

func nobodys(context.Context) func(string) bool { return func(string) bool { return false } }

// judged wants all to be as it would be had there been no run.
func (a *astray) judged() {
	untouched := awsfake.New(a.settings)
	a.put(untouched)
	if a.drifted {
		a.edit(untouched)
	}
	time.Sleep(time.Hour)
	for _, p := range a.places() {
		for _, d := range a.cloud.All(awsfake.Place{Account: p.Account, Region: p.Region}, awsfake.Parameter) {
			a.Errorf("left in the vault in %s: %s", p.Region, d.Str("Name"))
		}
	}
	is, want := strings.Split(a.cloud.Snapshot(), "\n"), strings.Split(untouched.Snapshot(), "\n")
	for n, name := range a.faults {
		if !undoes(kindOf(name)) { // what becomes of that is not to be undone
			of := func(line string) bool { return strings.Contains(line, a.place(n).Region) }
			is, want = slices.DeleteFunc(is, of), slices.DeleteFunc(want, of)
		}
	}
	for _, line := range is {
		if !slices.Contains(want, line) {
			a.Errorf("there is      %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(is, line) {
			a.Errorf("there is not  %s", line)
		}
	}
}

// told says who changed what and when, but in the vault.
func (a *astray) told() {
	for _, c := range a.cloud.Calls() {
		_, name, _ := strings.Cut(c.Action, ":")
		if !strings.HasPrefix(c.Action, "ssm:") && !slices.ContainsFunc([]string{"Get", "List", "Describe"}, func(s string) bool { return strings.HasPrefix(name, s) }) && !c.DryRun {
			a.Logf("%7.1fs %s %s %s %v %s", c.At.Sub(a.began).Seconds(), c.Principal[strings.LastIndexByte(c.Principal, '/')+1:], c.Region, c.Action, c.In, c.Error)
		}
	}
}
