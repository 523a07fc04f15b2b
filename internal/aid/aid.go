package aid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap"
	"mishap/internal/bounded"
	"mishap/internal/config"
	"mishap/internal/keeper"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/revert"
)

// aid is the first revert of what one dead keeper left. It is made from the undo
// file alone: it asks no ledger and writes nothing, so that neither a ledger that
// is locked nor a full disk delays it. What came of it is recorded later, by
// reverting again (see "Reverting twice" in ARCHITECTURE.md).
type aid struct {
	undo keeper.Undo
	over chan struct{} // closed when all attempts have ended; then what follows may be read
	left []error       // of what is or may still be in force
}

// Options say what the undo files are of.
type Options struct {
	Settings *config.Settings // as they are at the moment of a call
	Member   *member.Member

	Kinds   func() map[string]mishap.InjectorKind
	Restore func(mishap.Injection) (mishap.Injector, error)
	// Taken says whose the things of an injection elsewhere are by now, if they are
	// another run's, of whatever ledger; nil: nobody's.
	Taken revert.Taken
}

// Aider reverts what the undo files of dead keepers hold, and accounts for them.
type Aider struct {
	settings *config.Settings
	member   *member.Member
	kinds    func() map[string]mishap.InjectorKind
	restore  func(mishap.Injection) (mishap.Injector, error)
	taken    revert.Taken

	mu  sync.Mutex
	all map[string]*aid // the first reverts of this process, by the path of their undo file
}

// New reverts nothing yet.
func New(o Options) *Aider {
	return &Aider{settings: o.Settings, member: o.Member, kinds: o.Kinds, restore: o.Restore, taken: o.Taken, all: map[string]*aid{}}
}

// firstAid begins to revert, side by side and without waiting for any, what the
// undo files of dead keepers hold, also those that were set aside and that nobody
// has settled: of the run whose id begins so, or of all. What it has begun once it
// leaves alone.
func (a *Aider) firstAid(ctx context.Context, which string) {
	files, _ := keeper.ReadUndo(a.settings.State) // who accounts for the files says what is wrong with the folder
	aside, _ := keeper.Unsettled(a.settings.State)
	for _, d := range aside {
		files = append(files, d.Undo)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, u := range files {
		meant := which == "" || which == "last" || strings.HasPrefix(u.Run, which)
		if u.Alive || !meant || a.all[u.Path] != nil || a.member.Attended(u.Run) || len(u.Outstanding()) == 0 {
			continue
		}
		one := &aid{undo: u, over: make(chan struct{})}
		a.all[u.Path] = one
		go one.revert(context.WithoutCancel(ctx), a)
	}
}

// aidEvery is how often first aid looks again while the ledger is waited for.
const aidEvery = 100 * time.Millisecond

// Aiding gives first aid, and gives it again until the function is called: while a
// ledger is locked a keeper may die that still lived at the first look.
func (a *Aider) Aiding(ctx context.Context, which string) (end func()) {
	a.firstAid(ctx, which)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-time.After(aidEvery):
				a.firstAid(ctx, which)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// revert reverts all that is left.
func (one *aid) revert(ctx context.Context, a *Aider) {
	defer close(one.over)
	one.left = a.revertHeld(ctx, one.undo.Run, one.undo.Outstanding())
}

// revertHeld reverts from an undo file, side by side, and says what is left. Each
// has one attempt, and more only where its kind says that reverting takes a while,
// or that what is read may be of before.
func (a *Aider) revertHeld(ctx context.Context, run string, all []keeper.Held) (left []error) {
	var injections []mishap.Injection
	for _, h := range all {
		injections = append(injections, h.Injection)
	}
	still := func(in mishap.Injection, err error) {
		left = append(left, mishap.StillIn(fmt.Errorf("revert %s on %s of run %s: %w", in.Fault, in.Target.Label(), run, err)))
	}
	var turns bounded.Turns // of this call alone: who else reverts has the things locked
	var settling revert.Settling
	unknown := map[string]mishap.Injection{}
	for _, in := range injections {
		unknown[in.ID] = in
	}
	whole := revert.Reverter{
		Attempt: func(some []mishap.Injection) []mishap.Reply[mishap.Reverted] {
			return revert.Attempt(ctx, &turns, &settling, some, a.attempt)
		},
		Tell: func(r revert.Result) {
			if r.Err == nil || r.GaveUp {
				delete(unknown, r.ID)
			}
			if r.GaveUp {
				still(r.Injection, r.Err)
			}
		},
	}.All(ctx, mishap.Calls(injections), nil)
	if !whole {
		for _, in := range injections {
			if _, is := unknown[in.ID]; is {
				still(in, ctx.Err())
			}
		}
	}
	return left
}

// attempt reverts those whose things are not another run's by now.
func (a *Aider) attempt(ctx context.Context, some []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	injector, err := a.restore(some[0])
	if err != nil {
		return mishap.Same[mishap.Reverted](len(some), err)
	}
	var unlocks []func()
	defer func() {
		for _, unlock := range unlocks {
			unlock()
		}
	}()
	taken := a.taken.Yields(ctx, a.restore)
	return revert.Ours(some, func(in mishap.Injection) (string, error) {
		if why, err := taken(in); why != "" || err != nil {
			return why, err
		}
		why, unlock, err := a.free(ctx, in)
		unlocks = append(unlocks, unlock)
		return why, err
	}, func(ours []mishap.Injection) []mishap.Reply[mishap.Reverted] {
		return mishap.RevertAll(ctx, injector, ours)
	})
}

// free locks the things of an injection on this machine, or says why they are not
// to be touched: another machine may have taken the run over, or another process
// of this one have them.
func (a *Aider) free(ctx context.Context, in mishap.Injection) (why string, unlock func(), err error) {
	var locks []io.Closer
	unlock = func() {
		for _, lock := range locks {
			_ = lock.Close()
		}
	}
	if ledger.IsPostgres(a.settings.Ledger) && !in.Target.Where.Local() {
		book, err := a.member.Ledger(ctx)
		if err != nil {
			return "", unlock, err
		}
		if why, err := a.yield(ctx, book, in); why != "" || err != nil {
			return why, unlock, err
		}
	}
	for _, key := range in.Keys {
		lock, err := keeper.LockHost(keeper.Claim{Thing: key.Thing, Run: in.Run, PID: os.Getpid(), Server: os.Getpid(), State: a.settings.State})
		if keeper.Living(err) {
			return "", unlock, err
		}
		if err == nil { // what else is wrong with a lock keeps no revert from being made
			locks = append(locks, lock)
		}
	}
	return "", unlock, nil
}

// aided waits for the first reverts that are meant, and says what is left of them;
// false if none was begun.
func (a *Aider) aided(meant func(keeper.Undo) bool) (left []error, begun bool) {
	var all []*aid
	a.mu.Lock()
	for _, one := range a.all {
		if meant(one.undo) {
			all = append(all, one)
		}
	}
	a.mu.Unlock()
	for _, one := range all {
		<-one.over
		left = append(left, one.left...)
	}
	return left, all != nil
}

// Aided waits for the first reverts of a run, and says what is left of them; false
// if none was begun.
func (a *Aider) Aided(run string) (left []error, begun bool) { return a.aided(undoOf(run)) }

// undoOf means the undo files of a run.
func undoOf(id string) func(keeper.Undo) bool {
	return func(u keeper.Undo) bool { return u.Run == id }
}

// at means one undo file.
func at(path string) func(keeper.Undo) bool {
	return func(u keeper.Undo) bool { return u.Path == path }
}

// Unrecorded says what is not in the ledger of a run that could not be taken
// over: it is reverted all the same, if its undo file was there.
func (a *Aider) Unrecorded(run string, why error) error {
	left, begun := a.aided(undoOf(run))
	switch {
	case why == nil || !begun:
		return why
	case left != nil:
		return errors.Join(append(left, why)...)
	}
	return mishap.WithHint(fmt.Errorf("run %s is reverted from its undo file, and that could not be recorded: %w", run, why),
		"the next `mishap run` or `mishap revert` records it")
}

// AllUnrecorded is unrecorded of everything that was reverted first, and that the
// ledger did not hear of.
func (a *Aider) AllUnrecorded(why error) error {
	a.mu.Lock()
	var runs []string
	for _, one := range a.all {
		runs = append(runs, one.undo.Run)
	}
	a.mu.Unlock()
	if runs == nil {
		return why
	}
	slices.Sort(runs)
	var all []error
	for _, run := range runs {
		all = append(all, a.Unrecorded(run, why))
	}
	return errors.Join(all...)
}
