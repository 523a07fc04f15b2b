package reporttest

import (
	"time"

	"mishap"
)

// Stories are the runs of the golden files.
func Stories() map[string]*Story {
	held := Tell(CheckoutPlan()).In().both().Observe(2, mishap.During, Pays, mishap.Unmet, "503 in 20ms", "status is 503, not 200").
		Wait(9*time.Minute).State(mishap.Reverting, mishap.CauseElapsed, "every fault was in force for as long as it should").
		Injection(One, mishap.InjectionReverting, "").Wait(30*time.Millisecond).Injection(One, mishap.InjectionReverted, "").recovers()

	timedOut := `Post "https://checkout.example/checkout": context deadline exceeded after 2s, while the body was awaited`
	deviated := Tell(CheckoutPlan()).In().Wait(41*time.Second).Observe(40, mishap.During, Pays, mishap.Met, "200 in 310ms", "").
		Look(41, One, mishap.Yes, FeltByMany()).Observe(3, mishap.During, Pays, mishap.Unmet, "", timedOut).
		State(mishap.Reverting, mishap.CauseDeviation, `"a basket can be paid" was not met: `+timedOut+" (allowed: 2 of 20)").
		Injection(One, mishap.InjectionReverting, "").Injection(two, mishap.InjectionReverting, "").
		Injection(two, mishap.InjectionReverted, "it was never in").Wait(20*time.Millisecond).Injection(One, mishap.InjectionReverted, "").recovers()

	unfelt := Tell(CheckoutPlan()).In().bothAffecting(&mishap.Traffic{}).Look(540, One, mishap.Yes, &mishap.Traffic{})
	unfelt.Wait(9*time.Minute).State(mishap.Reverting, mishap.CauseElapsed, "every fault was in force for as long as it should").
		Injection(One, mishap.InjectionReverting, "").Injection(One, mishap.InjectionReverted, "").recovers()

	refused := Tell(CheckoutPlan()).Wait(time.Second).State(mishap.Checking, "", "").Check("self", mishap.Yes, "").
		Check("window", mishap.No, "it is Monday 10:00, the window is Tue-Fri 09:00-17:00 (Europe/London)").
		State(mishap.Refused, mishap.CauseSafeguard, "a safeguard refused: window: it is Monday 10:00, the window is Tue-Fri 09:00-17:00 (Europe/London)")

	stuck := func() *Story {
		return Tell(CheckoutPlan()).In().both().Wait(time.Minute).
			Add(mishap.Entry{State: &mishap.StateChange{To: mishap.Reverting, Cause: mishap.CauseAbort, Reason: "stopped by abort: incident 4711", By: "alice"}}).
			Injection(One, mishap.InjectionReverting, "").Wait(2*time.Minute).
			Injection(One, mishap.InjectionStranded, "dial unix /run/mishap/proxy.sock: connect: connection refused").
			State(mishap.Stranded, "", "payments is slow on proxy payments could not be reverted")
	}
	settled := stuck().Wait(time.Hour).
		Add(mishap.Entry{Injection: &mishap.InjectionChange{ID: One, To: mishap.InjectionSuperseded, Detail: "restarted the proxy by hand, ticket 12", By: "bob"}}).
		Add(mishap.Entry{State: &mishap.StateChange{To: mishap.Completed, Cause: mishap.CauseSettled, Reason: "settled by bob: restarted the proxy by hand, ticket 12", By: "bob"}})

	crashed := Tell(CheckoutPlan()).In().both().Wait(30*time.Second).
		State(mishap.Reverting, mishap.CauseCrash, "the server of the run was lost").
		Injection(One, mishap.InjectionReverting, "").Injection(One, mishap.InjectionReverted, "").
		Add(mishap.Entry{Note: &mishap.Note{Text: "the keeper reverted payments is slow 0.4s after its server was lost"}}).recovers()

	return map[string]*Story{
		"held": held, "deviated": deviated, "no-effect": unfelt, "refused": refused, "stranded": stuck(), "settled": settled, "crash-resumed": crashed,
		"holding": Tell(CheckoutPlan()).In(),
	}
}

// Denied is a run whose fault should leave and does not: its revert is denied, and
// until it is let through again after three minutes, the run is at the first part.
func Denied() (failing, over *Story) {
	tell := func() *Story {
		return Tell(CheckoutPlan()).In().both().Wait(9*time.Minute).State(mishap.Reverting, mishap.CauseElapsed, "every fault was in force for as long as it should").
			Injection(One, mishap.InjectionReverting, "").Wait(time.Second).Injection(One, mishap.InjectionReverting, "denied: not authorized to SetQueueAttributes")
	}
	return tell(), tell().Wait(3*time.Minute).Injection(One, mishap.InjectionReverted, "").recovers()
}

// Steady asks the safeguards and the steady state, all of which say yes.
func (s *Story) Steady() *Story {
	return s.Wait(time.Second).State(mishap.Checking, "", "").
		Check("self", mishap.Yes, "").Check("window", mishap.Yes, "").
		Observe(1, mishap.Before, Pays, mishap.Met, "200 in 12ms", "").Observe(1, mishap.Before, cart, mishap.Met, "open in 1ms", "").
		Prepare(SlowPayments()).Prepare(stoppedWorker())
}

// In brings the run to holding, with the first fault in.
func (s *Story) In() *Story {
	return s.Steady().Wait(time.Second).State(mishap.Injecting, "", "").
		Injection(One, mishap.InjectionInjecting, "").Wait(40*time.Millisecond).Injection(One, mishap.InjectionInjected, "").
		State(mishap.Holding, "", "").Look(1, One, mishap.Yes, &mishap.Traffic{})
}

// both lets the second fault go in and out as planned.
func (s *Story) both() *Story { return s.bothAffecting(FeltByMany()) }

// bothAffecting is both of which the first fault affects that.
func (s *Story) bothAffecting(t *mishap.Traffic) *Story {
	s.Observe(294, mishap.During, Pays, mishap.Met, "200 in 313ms", "").Observe(59, mishap.During, cart, mishap.Met, "open in 1ms", "")
	s.Wait(5*time.Minute).Injection(two, mishap.InjectionInjecting, "").Injection(two, mishap.InjectionInjected, "").Look(60, two, mishap.Yes, nil)
	s.Observe(1, mishap.During, Pays, mishap.Met, "200 in 313ms", "").Observe(1, mishap.During, cart, mishap.Met, "open in 1ms", "")
	s.Look(300, One, mishap.Yes, t)
	return s.Wait(time.Minute).Injection(two, mishap.InjectionReverting, "").Injection(two, mishap.InjectionReverted, "")
}

// recovers verifies and completes.
func (s *Story) recovers() *Story {
	return s.State(mishap.Verifying, "", "").Wait(1200*time.Millisecond).
		Observe(1, mishap.After, Pays, mishap.Met, "200 in 14ms", "").Observe(1, mishap.After, cart, mishap.Met, "open in 1ms", "").
		Wait(250*time.Millisecond).Observe(1, mishap.After, Pays, mishap.Met, "200 in 13ms", "").Observe(1, mishap.After, cart, mishap.Met, "open in 1ms", "").
		Add(mishap.Entry{Recovered: &mishap.Recovered{In: true, Took: mishap.Duration(1200 * time.Millisecond), Resolution: mishap.Duration(400 * time.Millisecond), Attempts: 4}}).
		State(mishap.Completed, "", "")
}
