package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
)

// failing are the entries that say why an attempt failed which is made again.
func failing(s *set) (all []string) {
	for _, e := range s.ledger.entries {
		if c := e.Injection; c != nil && c.To == mishap.InjectionReverting && strings.Contains(c.Detail, "fails") {
			all = append(all, c.Detail)
		}
	}
	return all
}

func TestARevertThatFailsIsInTheJournalOnceInItsOwnWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second))
		s.w.fail["revert a"] = 20
		run := s.run(t, t.Context())
		if got := failing(s); len(got) != 1 || got[0] != "revert a fails" {
			t.Errorf("the journal says %q of 20 attempts that failed alike", got)
		}
		if verdict, why := mishap.Judge(run); verdict != mishap.Held {
			t.Errorf("it is %s: %s", verdict, why)
		}
		if longer := run.Injections[0].Overran(); longer < 10*time.Second {
			t.Errorf("it was in force for %s longer than it should, after 20 attempts with backoff", longer)
		}
	})
}

func TestRevertsThatFailEachInOtherWordsAreBoundedInTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second))
		n := 0
		s.runner.Yield = func(context.Context, mishap.Injection) (string, error) {
			if n++; n < 20 {
				return "", fmt.Errorf("request %d fails", n)
			}
			return "", nil
		}
		run := s.run(t, t.Context())
		if got := failing(s); len(got) != mishap.MostFailedReverts || got[0] != "request 1 fails" {
			t.Errorf("the journal says %q", got)
		}
		if run.State != mishap.Completed {
			t.Errorf("the run is %s", run.State)
		}
	})
}

func TestARunThatIsTakenOverSaysWhyItsRevertsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second))
		s.runner.Yield = func(context.Context, mishap.Injection) (string, error) {
			return "", errors.New("the first server fails")
		}
		if run := s.run(t, t.Context()); run.State != mishap.Stranded {
			t.Fatalf("the run is %s", run.State)
		}
		n := 0
		s.runner.Keeper, s.runner.Yield = nil, func(context.Context, mishap.Injection) (string, error) {
			if n++; n < 5 {
				return "", errors.New("the second server fails")
			}
			return "", nil
		}
		run, err := s.runner.Resume(t.Context(), s.ledger.entries, s.ledger.injections(), mishap.StateChange{Cause: mishap.CauseRetry})
		if err != nil {
			t.Fatal(err)
		}
		if got := failing(s); len(got) != 2 || got[0] != "the first server fails" || got[1] != "the second server fails" {
			t.Errorf("the journal says %q", got)
		}
		if in := run.Injections[0]; in.State != mishap.InjectionReverted || len(in.Failed) != 2 {
			t.Errorf("it is %s, and of its reverts failed %v", in.State, in.Failed)
		}
	})
}
