package runner_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// outage takes the ledger away for a minute at its n-th call: before the call,
// or after it was written and before that was answered.
type outage struct {
	mu      sync.Mutex
	n       int
	written bool
	calls   int
	until   time.Time
}

func (o *outage) strikes(before bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Now().Before(o.until) {
		return true
	}
	if before {
		o.calls++
	}
	if o.calls == o.n && o.until.IsZero() && before != o.written {
		o.until = time.Now().Add(time.Minute)
		return true
	}
	return false
}

// TestALedgerThatIsGoneForAMinuteLosesNothing takes the database away for a
// minute at each call on it, and wants what every run must leave: nothing in the
// system, and a whole journal of a run that has ended.
func TestALedgerThatIsGoneForAMinuteLosesNothing(t *testing.T) {
	for _, written := range []bool{false, true} {
		points := 0
		for struck := true; struck; points++ {
			synctest.Test(t, func(t *testing.T) { struck = goneAt(t, points+1, written) })
		}
		if points < 12 {
			t.Errorf("only %d calls were struck", points)
		}
		t.Logf("gone at each of %d calls, written before: %v", points-1, written)
	}
}

func goneAt(t *testing.T, n int, written bool) bool {
	s := newSet(t, fault("a", 2*time.Second), fault("b", time.Second))
	o := &outage{n: n, written: written}
	s.ledger.outage = o
	s.runner.GiveUp = make(chan struct{})
	injectedUnwritten := ""
	s.p.around = func(point string) {
		target, is := strings.CutPrefix(point, "before inject ")
		if is && !s.ledger.has(target) {
			injectedUnwritten = target
		}
	}
	run, err := s.runner.Run(t.Context(), s.first)
	if err != nil {
		t.Errorf("call %d: %v", n, err)
	}
	if off := s.w.anyOff(); off != nil {
		t.Errorf("call %d: left behind: %v", n, off)
	}
	if injectedUnwritten != "" {
		t.Errorf("call %d: %s was injected before its undo was written", n, injectedUnwritten)
	}
	kept, err := mishap.Replay(s.ledger.entries)
	switch {
	case err != nil:
		t.Errorf("call %d: the journal is not whole: %v", n, err)
	case !kept.State.Ended() || kept.Seq != run.Seq:
		t.Errorf("call %d: the journal ends with %s at %d, the run with %s at %d", n, kept.State, kept.Seq, run.State, run.Seq)
	}
	return !o.until.IsZero()
}

var errAway = errors.New("the database is away")

// noEnd is a journal that does not take the end of a run.
type noEnd struct{ runner.Journal }

func (j noEnd) Append(ctx context.Context, entries ...mishap.Entry) error {
	for _, e := range entries {
		if e.State != nil && (e.State.To == mishap.Completed || e.State.To == mishap.Refused) {
			return errAway
		}
	}
	return j.Journal.Append(ctx, entries...)
}

func TestNoVerdictIsSaidThatIsNotInTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		s.runner.Journal = noEnd{s.ledger}
		said := mishap.Held
		s.runner.Seen = func(e mishap.Entry, r *mishap.Run) {
			if e.State != nil && e.State.To == mishap.Completed {
				said, _ = mishap.Judge(r)
			}
		}
		run, err := s.runner.Run(t.Context(), s.first)
		verdict, why := mishap.Judge(run)
		if !errors.Is(err, errAway) || run.State != mishap.Completed || verdict != mishap.NoVerdict || said != mishap.NoVerdict ||
			!strings.Contains(why, errAway.Error()) || mishap.OutcomeOf(run) != mishap.OutcomeInternal {
			t.Errorf("err %v, state %s, %q because %q, told %q, %v", err, run.State, verdict, why, said, mishap.OutcomeOf(run))
		}
		if s.w.anyOff() != nil {
			t.Errorf("left behind: %v", s.w.anyOff())
		}
	})
}
