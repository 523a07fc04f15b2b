package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file under testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

var began = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// story writes a journal by hand.
type story struct {
	at      time.Time
	entries []mishap.Entry
}

func tell(p mishap.Plan) *story {
	s := &story{at: began}
	return s.add(mishap.Entry{Planned: &p})
}

func (s *story) wait(d time.Duration) *story {
	s.at = s.at.Add(d)
	return s
}

func (s *story) add(e mishap.Entry) *story {
	e.Run, e.Seq, e.At = "7f3a91c2", int64(len(s.entries)+1), s.at
	s.entries = append(s.entries, e)
	return s
}

func (s *story) state(to mishap.State, cause mishap.Cause, reason string) *story {
	return s.add(mishap.Entry{State: &mishap.StateChange{To: to, Cause: cause, Reason: reason}})
}

func (s *story) check(name string, answer mishap.Answer, reason string) *story {
	return s.add(mishap.Entry{Check: &mishap.Check{Safeguard: name, Answer: answer, Reason: reason}})
}

func (s *story) observe(n int, phase mishap.Phase, probe string, result mishap.Result, value, detail string) *story {
	for range n {
		s.add(mishap.Entry{Observation: &mishap.Observation{
			Probe: probe, Phase: phase, Result: result, Value: value, Detail: detail, Start: s.at, Took: mishap.Duration(12 * time.Millisecond),
		}})
	}
	return s
}

func (s *story) injection(id string, to mishap.InjectionState, detail string) *story {
	return s.add(mishap.Entry{Injection: &mishap.InjectionChange{ID: id, To: to, Detail: detail}})
}

func (s *story) prepare(in mishap.Injection) *story {
	in.Run = "7f3a91c2"
	return s.add(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionPrepared, Injection: &in}})
}

func (s *story) look(n int, id string, inForce mishap.Answer, t *mishap.Traffic) *story {
	for range n {
		s.add(mishap.Entry{Effect: &mishap.Effect{Injection: id, InForce: inForce, Traffic: t}})
	}
	return s
}

func (s *story) run(t *testing.T) *mishap.Run {
	t.Helper()
	r, err := mishap.Replay(s.entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	pays = "a basket can be paid"
	cart = "the cart answers"
	one  = "7f3a91c2.1.1"
	two  = "7f3a91c2.2.1"
)

func slowPayments() mishap.Injection {
	return mishap.Injection{
		ID: one, Fault: "payments is slow", Injector: "proxy-latency", Matched: 1, For: mishap.Duration(15 * time.Minute),
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

func checkoutPlan() mishap.Plan {
	all := []mishap.Phase{mishap.Before, mishap.During, mishap.After}
	first, second := slowPayments(), stoppedWorker()
	first.ID, second.ID = "", ""
	return mishap.Plan{
		Created: began.Add(-time.Minute), Host: "shop-1", Injections: []mishap.Injection{first, second},
		Digest: "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
		Notes:  []string{"proxy payments has carried no traffic for 3m"},
		Experiment: mishap.Experiment{
			Version: 1, Name: "checkout-survives-slow-payments", Owner: "checkout-team", Group: "checkout",
			Claim: "Customers can still check out when payments answers 300 ms late and one of the workers hangs.",
			SteadyState: []mishap.ProbeSpec{
				{Name: pays, Probe: "http", Every: mishap.Duration(time.Second), Timeout: mishap.Duration(2 * time.Second), Allow: mishap.Allowance{Count: 2, Window: 20}, When: all, OnDeviation: mishap.StopOnDeviation},
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

var feltByMany = &mishap.Traffic{
	Connections: 412, Bytes: 1_234_567, Count: 3100, Requested: mishap.Duration(300 * time.Millisecond),
	Mean: mishap.Duration(301 * time.Millisecond), P50: mishap.Duration(301 * time.Millisecond), P99: mishap.Duration(318 * time.Millisecond), Max: mishap.Duration(402 * time.Millisecond),
}

// steady asks the safeguards and the steady state, all of which say yes.
func (s *story) steady() *story {
	return s.wait(time.Second).state(mishap.Checking, "", "").
		check("self", mishap.Yes, "").check("window", mishap.Yes, "").
		observe(1, mishap.Before, pays, mishap.Met, "200 in 12ms", "").observe(1, mishap.Before, cart, mishap.Met, "open in 1ms", "").
		prepare(slowPayments()).prepare(stoppedWorker())
}

// in brings the run to holding, with the first fault in.
func (s *story) in() *story {
	return s.steady().wait(time.Second).state(mishap.Injecting, "", "").
		injection(one, mishap.InjectionInjecting, "").wait(40*time.Millisecond).injection(one, mishap.InjectionInjected, "").
		state(mishap.Holding, "", "").look(1, one, mishap.Yes, &mishap.Traffic{})
}

// both lets the second fault go in and out as planned.
func (s *story) both() *story {
	s.observe(294, mishap.During, pays, mishap.Met, "200 in 313ms", "").observe(59, mishap.During, cart, mishap.Met, "open in 1ms", "")
	s.wait(5*time.Minute).injection(two, mishap.InjectionInjecting, "").injection(two, mishap.InjectionInjected, "").look(60, two, mishap.Yes, nil)
	s.observe(1, mishap.During, pays, mishap.Met, "200 in 313ms", "").observe(1, mishap.During, cart, mishap.Met, "open in 1ms", "")
	s.look(300, one, mishap.Yes, feltByMany)
	return s.wait(time.Minute).injection(two, mishap.InjectionReverting, "").injection(two, mishap.InjectionReverted, "")
}

// recovers verifies and completes.
func (s *story) recovers() *story {
	return s.state(mishap.Verifying, "", "").wait(1200*time.Millisecond).
		observe(1, mishap.After, pays, mishap.Met, "200 in 14ms", "").observe(1, mishap.After, cart, mishap.Met, "open in 1ms", "").
		wait(250*time.Millisecond).observe(1, mishap.After, pays, mishap.Met, "200 in 13ms", "").observe(1, mishap.After, cart, mishap.Met, "open in 1ms", "").
		add(mishap.Entry{Recovered: &mishap.Recovered{In: true, Took: mishap.Duration(1200 * time.Millisecond), Resolution: mishap.Duration(400 * time.Millisecond), Attempts: 4}}).
		state(mishap.Completed, "", "")
}

// stories are the runs of the golden files.
func stories() map[string]*story {
	held := tell(checkoutPlan()).in().both().observe(2, mishap.During, pays, mishap.Unmet, "503 in 20ms", "status is 503, not 200").
		wait(9*time.Minute).state(mishap.Reverting, mishap.CauseElapsed, "every fault was in for as long as it should").
		injection(one, mishap.InjectionReverting, "").wait(30*time.Millisecond).injection(one, mishap.InjectionReverted, "").recovers()

	timedOut := `Post "https://checkout.example/checkout": context deadline exceeded after 2s, while the body was awaited`
	deviated := tell(checkoutPlan()).in().wait(41*time.Second).observe(40, mishap.During, pays, mishap.Met, "200 in 310ms", "").
		look(41, one, mishap.Yes, feltByMany).observe(3, mishap.During, pays, mishap.Unmet, "", timedOut).
		state(mishap.Reverting, mishap.CauseDeviation, `"a basket can be paid" was not met: `+timedOut+" (allowed: 2 of 20)").
		injection(one, mishap.InjectionReverting, "").injection(two, mishap.InjectionReverting, "").
		injection(two, mishap.InjectionReverted, "it was never in").wait(20*time.Millisecond).injection(one, mishap.InjectionReverted, "").recovers()

	unfelt := tell(checkoutPlan()).in().both().look(540, one, mishap.Yes, &mishap.Traffic{})
	unfelt.wait(9*time.Minute).state(mishap.Reverting, mishap.CauseElapsed, "every fault was in for as long as it should").
		injection(one, mishap.InjectionReverting, "").injection(one, mishap.InjectionReverted, "").recovers()

	refused := tell(checkoutPlan()).wait(time.Second).state(mishap.Checking, "", "").check("self", mishap.Yes, "").
		check("window", mishap.No, "it is Monday 10:00, the window is Tue-Fri 09:00-17:00 (Europe/London)").
		state(mishap.Refused, mishap.CauseSafeguard, "a safeguard said no: window: it is Monday 10:00, the window is Tue-Fri 09:00-17:00 (Europe/London)")

	stuck := func() *story {
		return tell(checkoutPlan()).in().both().wait(time.Minute).
			add(mishap.Entry{State: &mishap.StateChange{To: mishap.Reverting, Cause: mishap.CauseAbort, Reason: "stopped by abort: incident 4711", By: "alice"}}).
			injection(one, mishap.InjectionReverting, "").wait(2*time.Minute).
			injection(one, mishap.InjectionStranded, "dial unix /run/mishap/proxy.sock: connect: connection refused").
			state(mishap.Stranded, "", "payments is slow on proxy payments could not be reverted")
	}
	settled := stuck().wait(time.Hour).
		add(mishap.Entry{Injection: &mishap.InjectionChange{ID: one, To: mishap.InjectionSuperseded, Detail: "restarted the proxy by hand, ticket 12", By: "bob"}}).
		add(mishap.Entry{State: &mishap.StateChange{To: mishap.Completed, Cause: mishap.CauseSettled, Reason: "settled by bob: restarted the proxy by hand, ticket 12", By: "bob"}})

	crashed := tell(checkoutPlan()).in().both().wait(30*time.Second).
		state(mishap.Reverting, mishap.CauseCrash, "the server of the run was lost").
		injection(one, mishap.InjectionReverting, "").injection(one, mishap.InjectionReverted, "").
		add(mishap.Entry{Note: &mishap.Note{Text: "the keeper reverted payments is slow 0.4s after its server was lost"}}).recovers()

	return map[string]*story{
		"held": held, "deviated": deviated, "no-effect": unfelt, "refused": refused, "stranded": stuck(), "settled": settled, "crash-resumed": crashed,
		"holding": tell(checkoutPlan()).in(),
	}
}

func text(t *testing.T, r *mishap.Run) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Text(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// liveScreen is what the live view of 80 columns shows after entries, in a bubble.
func liveScreen(t *testing.T, entries []mishap.Entry) string {
	t.Helper()
	s := newScreen(t, 80, 40)
	v := report.NewLive(s, 80, 40, false)
	for i := range entries { // the clock of a bubble starts long ago
		entries[i].At = time.Now().Add(entries[i].At.Sub(began))
	}
	show(t, v, entries, nil)
	time.Sleep(entries[len(entries)-1].At.Sub(time.Now()))
	synctest.Wait()
	v.Close()
	return s.String()
}
