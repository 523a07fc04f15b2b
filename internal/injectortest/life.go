package injectortest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/revert"
)

// disturbance is what goes wrong in a life: one call of it, by its number from 1,
// and whether the process that makes it dies of it.
type disturbance struct {
	call  int
	fate  Fate
	crash bool
}

func (d disturbance) String() string {
	if d.crash {
		return fmt.Sprintf("crash at a call that %s", d.fate)
	}
	return string(d.fate)
}

// disturbances are those that a call may meet.
func disturbances(call int) []disturbance {
	return []disturbance{
		{call, FailsBefore, false}, {call, FailsAfter, false}, {call, AnswersLate, false},
		{call, FailsBefore, true}, {call, FailsAfter, true},
	}
}

// life is a fault that is injected and reverted as a run does it, by processes
// that may die.
type life struct {
	w    World
	all  []mishap.Injection
	plan disturbance

	mu    sync.Mutex
	calls []string // that were made
	dead  bool     // the process that makes them
	end   func()   // of its time, or of the call that answers late
}

// judge says what becomes of a call. A dead process makes none.
func (l *life) judge(call string) Fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return FailsBefore
	}
	l.calls = append(l.calls, call)
	if len(l.calls) != l.plan.call {
		return ""
	}
	if l.dead = l.plan.crash; l.dead || l.plan.fate == AnswersLate {
		l.end()
	}
	return l.plan.fate
}

// died reports whether the process is dead, and starts another.
func (l *life) died() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.dead
	l.dead = false
	return was
}

// within makes calls that have the time of one, which a late answer uses up.
func (l *life) within(do func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), mishap.CallWithin)
	defer cancel()
	l.mu.Lock()
	l.end = cancel
	l.mu.Unlock()
	do(ctx)
}

// live injects, looks and reverts, and wants everything settled.
func (l *life) live(t *testing.T, injector mishap.Injector) {
	t.Helper()
	settling := &revert.Settling{}
	for _, call := range mishap.Calls(l.all) {
		l.within(func(ctx context.Context) { mishap.InjectAll(ctx, injector, call) })
		settling.Called(call)
		l.within(func(ctx context.Context) { mishap.VerifyAll(ctx, injector, call) })
	}
	for left := l.all; left != nil; {
		if l.died() {
			injector, left = l.reborn(t, left)
			settling = &revert.Settling{}
		}
		left = l.revert(t, injector, settling, left)
	}
}

// reborn is the injector of another process, and what it has of the injections.
func (l *life) reborn(t *testing.T, left []mishap.Injection) (mishap.Injector, []mishap.Injection) {
	t.Helper()
	var all []mishap.Injection
	for _, in := range left {
		all = append(all, throughJSON(t, in))
	}
	injector, err := l.w.Kind.Restore(all[0])
	must(t, "restore", err)
	return injector, all
}

// revert reverts until everything is settled, or the process is dead; it answers
// what is left then.
func (l *life) revert(t *testing.T, injector mishap.Injector, settling *revert.Settling, all []mishap.Injection) (left []mishap.Injection) {
	t.Helper()
	left = slices.Clone(all)
	ctx, dies := context.WithCancel(context.Background())
	defer dies()
	revert.Reverter{
		Within: time.Minute,
		Attempt: func(some []mishap.Injection) (replies []mishap.Reply[mishap.Reverted]) {
			began := time.Now()
			l.within(func(ctx context.Context) { replies = mishap.RevertAll(ctx, injector, some) })
			return settling.Look(some, began, replies)
		},
		Tell: func(r revert.Result) {
			l.mu.Lock()
			dead := l.dead
			l.mu.Unlock()
			switch {
			case dead:
				dies()
			case r.GaveUp:
				t.Fatalf("revert %s: %v", r.Target.ID, r.Err)
			case r.Err == nil:
				left = slices.DeleteFunc(left, func(in mishap.Injection) bool { return in.ID == r.ID })
			}
		},
	}.All(ctx, mishap.Calls(all), nil)
	if len(left) == 0 {
		return nil
	}
	return left
}

// nothingIsLeft: whatever becomes of a call that a fault makes, and of the process
// that makes it, the system is in the end what it was.
func nothingIsLeft(t *testing.T, w World, _ mishap.Fault) {
	if w.Prompt && w.Fates == nil {
		t.Skip("its system is on real time, and prompt: its calls go wrong in a world on fake time")
	}
	w = w.onWire()
	var names []string
	onTime(t, w, func(t *testing.T) { names = disturbed(t, w, w.Fault(t), disturbance{}) })
	made := map[string]int{}
	for n, name := range names {
		if made[name]++; made[name] > 2 {
			continue // a third look of a loop goes wrong as the second does
		}
		for _, d := range disturbances(n + 1) {
			t.Run(fmt.Sprintf("%s %d: %s", name, made[name], d), func(t *testing.T) {
				onTime(t, w, func(t *testing.T) { disturbed(t, w, w.Fault(t), d) })
			})
		}
	}
}

// disturbed is a life in which something goes wrong, or nothing. It answers which
// calls it made.
func disturbed(t *testing.T, w World, f mishap.Fault, d disturbance) []string {
	t.Helper()
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	l := &life{w: w, all: all, plan: d}
	if w.Stale != nil {
		w.Stale(w.Kind.Settles)
	}
	w.Fates(l.judge)
	l.live(t, injector)
	w.Fates(nil)
	if w.Stale != nil {
		w.Stale(0)
	}
	if w.Fake { // what comes late has come
		time.Sleep(w.Kind.RevertTakes + w.Kind.Settles)
	}
	if w.Kind.Class != mishap.SelfRecovering {
		mustBe(t, w, before, "by a life with a call that "+d.String())
		mustVerify(t, injector, all, mishap.No)
	}
	return l.calls
}

// onTime runs a test on fake time if its world is all in memory.
func onTime(t *testing.T, w World, test func(*testing.T)) {
	if w.Fake {
		synctest.Test(t, test)
		return
	}
	test(t)
}
