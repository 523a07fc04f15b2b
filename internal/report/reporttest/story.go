// Package reporttest has made-up runs, told as journals, for the tests of the
// report and of its views.
package reporttest

import (
	"testing"
	"time"

	"mishap"
)

// Began is when stories begin.
func Began() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }

// Story writes a journal by hand.
type Story struct {
	At      time.Time
	Entries []mishap.Entry
}

// Tell begins a story with its plan.
func Tell(p mishap.Plan) *Story {
	s := &Story{At: Began()}
	return s.Add(mishap.Entry{Planned: &p})
}

// Wait lets time pass.
func (s *Story) Wait(d time.Duration) *Story {
	s.At = s.At.Add(d)
	return s
}

// Add tells one entry.
func (s *Story) Add(e mishap.Entry) *Story {
	e.Run, e.Seq, e.At = "7f3a91c2", int64(len(s.Entries)+1), s.At
	s.Entries = append(s.Entries, e)
	return s
}

// State changes the state of the run.
func (s *Story) State(to mishap.State, cause mishap.Cause, reason string) *Story {
	return s.Add(mishap.Entry{State: &mishap.StateChange{To: to, Cause: cause, Reason: reason}})
}

// Check lets a safeguard answer.
func (s *Story) Check(name string, answer mishap.Answer, reason string) *Story {
	return s.Add(mishap.Entry{Check: &mishap.Check{Safeguard: name, Answer: answer, Reason: reason}})
}

// Observe lets a probe see the same so often.
func (s *Story) Observe(n int, phase mishap.Phase, probe string, result mishap.Result, value, detail string) *Story {
	for range n {
		s.Add(mishap.Entry{Observation: &mishap.Observation{
			Probe: probe, Phase: phase, Result: result, Value: value, Detail: detail, Start: s.At, Took: mishap.Duration(12 * time.Millisecond),
		}})
	}
	return s
}

// Injection changes the state of an injection.
func (s *Story) Injection(id string, to mishap.InjectionState, detail string) *Story {
	return s.Add(mishap.Entry{Injection: mishap.NewChange(id, to, detail)})
}

// Prepare adds an injection.
func (s *Story) Prepare(in mishap.Injection) *Story {
	in.Run = "7f3a91c2"
	return s.Add(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionPrepared, Injection: &in}})
}

// Look asks so often whether a fault is in force.
func (s *Story) Look(n int, id string, inForce mishap.Answer, t *mishap.Traffic) *Story {
	for range n {
		s.Add(mishap.Entry{Effect: &mishap.Effect{Injection: id, InForce: inForce, Traffic: t}})
	}
	return s
}

// Run is the fold of the story.
func (s *Story) Run(t *testing.T) *mishap.Run {
	t.Helper()
	r, err := mishap.Replay(s.Entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Names that stories and their tests share.
const (
	Pays = "a basket can be paid"
	cart = "the cart answers"
	One  = "7f3a91c2.1.1"
	two  = "7f3a91c2.2.1"
)

// SlowPayments is the first fault of [CheckoutPlan].
func SlowPayments() mishap.Injection {
	return mishap.Injection{
		ID: One, Fault: "payments is slow", Injector: "proxy-latency", Matched: 1, For: mishap.Duration(15 * time.Minute),
		Target: mishap.Target{ID: "payments", Kind: "proxy", Name: "payments"}, Keys: []mishap.Key{{Thing: "proxy/payments"}},
	}
}

func stoppedWorker() mishap.Injection {
	return mishap.Injection{
		ID: two, Fault: "a worker hangs", Injector: "process-stop", Matched: 3, For: mishap.Duration(time.Minute),
		Target: mishap.Target{ID: "b7e1:4711:990021", Kind: "process", Name: "worker"}, Keys: []mishap.Key{{Thing: "process/4711/state"}},
		Notes: []string{"the process has 2 children, which go on"},
	}
}

// CheckoutPlan is the plan of most stories.
func CheckoutPlan() mishap.Plan {
	all := []mishap.Phase{mishap.Before, mishap.During, mishap.After}
	first, second := SlowPayments(), stoppedWorker()
	first.ID, second.ID = "", ""
	return mishap.Plan{
		Created: Began().Add(-time.Minute), Host: "shop-1", Injections: []mishap.Injection{first, second},
		Digest: "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
		Notes:  []string{"proxy payments has carried no traffic for 3m"},
		Experiment: mishap.Experiment{
			Version: 1, Name: "checkout-survives-slow-payments", Owner: "checkout-team", Group: "checkout",
			Claim: "Customers can still check out when payments answers 300 ms late and one of the workers hangs.",
			SteadyState: []mishap.ProbeSpec{
				{Name: Pays, Probe: "http", Every: mishap.Duration(time.Second), Timeout: mishap.Duration(2 * time.Second), Allow: mishap.Allowance{Count: 2, Window: 20}, When: all, OnDeviation: mishap.StopOnDeviation},
				{Name: cart, Probe: "tcp", Every: mishap.Duration(5 * time.Second), Timeout: mishap.Duration(time.Second), When: all, OnDeviation: mishap.NoteDeviation},
			},
			Faults: []mishap.Fault{
				{Name: first.Fault, Injector: first.Injector, For: first.For},
				{Name: second.Fault, Injector: second.Injector, For: second.For, After: &mishap.FaultOrder{Fault: first.Fault, Wait: mishap.Duration(5 * time.Minute)}},
			},
			BlastRadius: mishap.BlastRadius{Targets: 2, Share: 1}, Recovery: mishap.DefaultRecovery(),
			Safeguards: []mishap.SafeguardSpec{{Safeguard: "window"}},
			Source: mishap.Source{
				File: "experiments/slow-payments.yaml", Repository: "https://git.example/shop", Commit: "3f2a9c81d0e4b5a6978869504132fedcba987654",
				Path: "experiments/slow-payments.yaml", Dirty: true, Digest: "sha256:aa",
			},
		},
	}
}

// FeltByMany is what much traffic felt of [SlowPayments].
func FeltByMany() *mishap.Traffic {
	return &mishap.Traffic{
		Connections: 412, Bytes: 1_234_567, Count: 3100, Requested: mishap.Duration(300 * time.Millisecond),
		Mean: mishap.Duration(301 * time.Millisecond), P50: mishap.Duration(301 * time.Millisecond), P99: mishap.Duration(318 * time.Millisecond), Max: mishap.Duration(402 * time.Millisecond),
	}
}
