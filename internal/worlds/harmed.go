package worlds

import (
	"fmt"
	"time"

	"mishap"
)

// Harmed are worlds in which the fault does harm beyond the margin.
func Harmed() (list []World) {
	for _, part := range [][]World{harmOfAll(), harmOfUsers(), harmOfLatency(), harmOfBoth(), harmLate(), harmOfFew()} {
		for _, w := range part {
			w.Harm, w.Traffic.Rate = true, 50
			list = append(list, w)
		}
	}
	return list
}

func neverHeld() []mishap.Verdict { return []mishap.Verdict{mishap.Held} }

func undecided() []mishap.Verdict { return []mishap.Verdict{mishap.Held, mishap.Deviated} }

func equal() Traffic { return Traffic{Users: 2000, Fails: Alike(usual)} }

// harmed is equal traffic with changes in the experiment.
func harmed(changes ...Change) Traffic {
	for i := range changes {
		changes[i].Arm = Experiment
	}
	return equal().with(changes...)
}

func harmOfAll() (list []World) {
	success := Asked{Success: 0.005}
	for _, pp := range []float64{0.51, 1, 4.5, 20, 99.5} {
		w := World{
			Name: fmt.Sprintf("experiment fails %g pp more", pp), Traffic: harmed(Change{Adds: pp / 100}), Asked: success, Wrong: neverHeld(),
			Why: "more than the margin of 0.5 pp",
		}
		if pp > 4 {
			w.Right, w.Mostly = mishap.Deviated, 0.99
		}
		list = append(list, w)
	}
	pages := harmed(Change{Adds: 0.2})
	pages.Page = 6
	return append(list,
		World{Name: "half the margin", Traffic: harmed(Change{Adds: 0.0025}), Asked: success, Wrong: []mishap.Verdict{mishap.Deviated}, Why: "0.25 pp are within the tolerance of 0.5 pp"},
		World{Name: "page views of 6, 20 pp more", Traffic: pages, Asked: Asked{Success: 0.02}, Wrong: neverHeld(), Right: mishap.Deviated, Mostly: 0.99, Why: "more than the margin"},
		World{Name: "200 with an error inside", Traffic: harmed(Change{Fails: 0.3}), Asked: success, Wrong: neverHeld(), Right: mishap.Deviated, Mostly: 0.99,
			Why: "what `success: {not: …}` finds is a failure like any other"},
	)
}

func harmOfUsers() (list []World) {
	for _, c := range []struct {
		users, broken int
		deviates      float64
	}{{10, 2, 0}, {40, 1, 0}, {40, 2, 0}, {40, 4, 0}, {40, 6, 0}, {400, 4, 0}, {400, 8, 0}, {400, 12, 0.4}, {2000, 8, 0}, {2000, 20, 0.9}} {
		t := harmed(Change{Broken: c.broken, Fails: 1})
		t.Users = c.users
		w := World{Name: fmt.Sprintf("%d of %d users broken for good", c.broken, c.users), Traffic: t, Asked: Asked{Success: 0.005}, Wrong: neverHeld(),
			Why: "all their requests fail, more than 0.5 pp of the experiment's"}
		list = append(list, w)
		if w.Name += ", no margin"; c.deviates > 0 {
			w.Right, w.Mostly = mishap.Deviated, c.deviates
		}
		w.Asked.NoMargin, w.Wrong = true, neverHeld()
		list = append(list, w)
	}
	targets := harmed(Change{Broken: 1, Fails: 1})
	targets.Users, targets.Balanced = 10, true
	return append(list, World{Name: "1 of 5 targets broken", Traffic: targets, Asked: Asked{Success: 0.005, Targets: true}, Wrong: undecided(),
		Why: "a fifth of its requests fail, but 1 against 0 of 5 may be chance"})
}

func harmOfLatency() []World {
	asked := Asked{Success: 0.005, Latency: 0.2}
	slow := func(name string, c Change, mostly float64, wrong []mishap.Verdict, why string) World {
		w := World{Name: name, Traffic: harmed(c), Asked: asked, Wrong: wrong, Mostly: mostly, Why: why}
		if mostly > 0 {
			w.Right = mishap.Deviated
		}
		return w
	}
	rare := slow("1 % of requests 4 times slower, p99.9 named", Change{Share: 0.01, Slower: 4}, 0, neverHeld(), "p99.9 is more than 20 % slower")
	rare.Asked.Quantiles = []float64{0.5, 0.9, 0.999}
	waiting := slow("7 % of 400 users wait 1.7 s and ask a twentieth as much", Change{Users: 0.07, Takes: 1700 * time.Millisecond, Asks: 0.05}, 0, neverHeld(),
		"less than 1 % of what is still asked is slow, and 7 % of what was asked before")
	waiting.Traffic.Users = 400
	cold := slow("all wait 18 ms longer, and twice as long in the first 20 s of the baseline", Change{Takes: 18 * time.Millisecond}, 0, neverHeld(),
		"p50 is 30 % slower, though not by what was usual while caches were cold")
	cold.Asked.Quantiles, cold.Asked.For = []float64{0.5}, 15*time.Minute
	cold.Traffic = cold.Traffic.with(Change{Always: true, For: 20 * time.Second, Slower: 2})
	return []World{
		cold,
		slow("1 % of requests 20 times slower", Change{Share: 0.01, Slower: 20}, 0.9, neverHeld(), "p99 is more than 20 % slower"),
		slow("1 % of requests 4 times slower", Change{Share: 0.01, Slower: 4}, 0, nil, "p99 is less than 20 % slower, p99.9 more: both verdicts are right for what they name"),
		rare,
		slow("2 % of requests 10 times slower", Change{Share: 0.02, Slower: 10}, 0.9, neverHeld(), "p99 is more than 20 % slower"),
		slow("one endpoint of 5 % 3 times slower", Change{Share: 0.05, Slower: 3}, 0.9, neverHeld(), "p99 is more than 20 % slower"),
		slow("10 % of requests twice as slow", Change{Share: 0.1, Slower: 2}, 0, neverHeld(), "p99 is more than 20 % slower"),
		slow("all 1.22 times slower", Change{Slower: 1.22}, 0, neverHeld(), "every quantile is beyond the margin"),
		slow("all 1.5 times slower", Change{Slower: 1.5}, 0.99, neverHeld(), "every quantile is beyond the margin"),
		slow("all 3 times slower", Change{Slower: 3}, 0.99, neverHeld(), "every quantile is beyond the margin"),
		waiting,
		slow("all 1.1 times slower", Change{Slower: 1.1}, 0, []mishap.Verdict{mishap.Deviated}, "within the tolerance of 20 %"),
	}
}

func harmOfBoth() []World {
	both := func(name string, asked Asked, mostly float64, why string, changes ...Change) World {
		w := World{Name: name, Traffic: equal().with(changes...), Asked: asked, Wrong: undecided(), Mostly: mostly, Why: why}
		if mostly > 0 {
			w.Right = mishap.Inconclusive
		}
		return w
	}
	latency, success := Asked{Success: 0.005, Latency: 0.2}, Asked{Success: 0.005}
	pool := both("a shared pool", latency, 0, "the experiment's slow requests take what control needs: both are worse, and it is never held",
		Change{Adds: 0.02, Slower: 2}, Change{Arm: Experiment, Adds: 0.02, Slower: 1.5})
	pool.Wrong = neverHeld()
	patience := both("a service of 2.5 s, patience 2 s", success, 0.99, "it fails wholly before any fault")
	patience.Traffic.Fails = Alike(1)
	const why = "nothing was drawn between before and after: it may be the fault or the day"
	return []World{
		both("both arms 3 times slower", latency, 0.99, why, Change{Slower: 3}),
		both("both arms 20 times slower", latency, 0.99, why, Change{Slower: 20}),
		both("both arms fail 1.5 % instead of 0.5 %", success, 0.99, why, Change{Adds: 0.01}),
		both("both arms fail 3 % instead of 0.5 %", success, 0.99, why, Change{Adds: 0.025}),
		both("429 to all", success, 0.99, why+"; with `success: {status: 2xx}`", Change{Fails: 1}),
		pool, patience,
	}
}

func harmLate() (list []World) {
	for _, c := range []struct {
		share                  float64
		from, atLeast, longest time.Duration
		mostly                 float64
	}{
		{0.5, 60 * time.Second, 120 * time.Second, 5 * time.Minute, 0.99},
		{0.5, 120 * time.Second, 180 * time.Second, 5 * time.Minute, 0.99},
		{0.5, 300 * time.Second, 360 * time.Second, 10 * time.Minute, 0.99},
		{0.02, 120 * time.Second, 180 * time.Second, 5 * time.Minute, 0.9},
		{0.01, 120 * time.Second, 180 * time.Second, 5 * time.Minute, 0},
		{0.02, 150 * time.Second, 180 * time.Second, 5 * time.Minute, 0},
	} {
		w := World{
			Name:    fmt.Sprintf("%g %% more fail from %s on", 100*c.share, c.from),
			Traffic: harmed(Change{From: c.from, Adds: c.share}), Wrong: neverHeld(), Mostly: c.mostly,
			Asked: Asked{Success: 0.005, AtLeast: c.atLeast, For: c.longest},
			Why:   fmt.Sprintf("it was watched for %s at least, so the harm was seen", c.atLeast),
		}
		if c.mostly > 0 {
			w.Right = mishap.Deviated
		}
		list = append(list, w)
	}
	return list
}

func harmOfFew() []World {
	met := func(name string, meets, fails, mostly float64, why string) World {
		t := harmed(Change{Met: true, Fails: fails})
		t.Meets = meets
		w := World{Name: name, Traffic: t, Asked: Asked{Success: 0.005, Exposed: true}, Wrong: neverHeld(), Mostly: mostly, Why: why}
		if mostly > 0 {
			w.Right = mishap.Deviated
		}
		return w
	}
	spills := func(name string, meets, adds, margin float64) World {
		t := harmed(Change{Unmet: true, Adds: adds})
		t.Meets = meets
		return World{Name: name, Traffic: t, Asked: Asked{Success: margin, Exposed: true}, Wrong: neverHeld(), Beyond: margin,
			Why: "what met the fault is well, and of all the experiment's requests more than the margin fail"}
	}
	slowly := func(name string, meets, slower float64) World {
		t := harmed(Change{Unmet: true, Slower: slower})
		t.Meets = meets
		return World{Name: name, Traffic: t, Asked: Asked{Success: 0.02, Latency: 0.2, Exposed: true}, Wrong: neverHeld(),
			Why: "what met the fault is well, and the experiment's other requests are slower than the margin"}
	}
	well := met("half meet it, and nobody is harmed", 0.5, 0, 0.5, "the fault does nothing")
	well.Asked.Success, well.Asked.Latency, well.Right, well.Wrong = 0.02, 0.2, mishap.Held, []mishap.Verdict{mishap.Deviated}
	users := met("4 % of 400 users meet it and fail", 0, 1, 0, "all that met it failed")
	users.Traffic.Users, users.Traffic.MeetsBy = 400, 0.04
	return []World{
		met("1 request in 50 meets it, half of those fail", 1./50, 0.5, 0.99, "half of what met it failed"),
		met("1 request in 50 meets it, a tenth of those fail", 1./50, 0.1, 0.9, "a tenth of what met it failed"),
		met("1 request in 400 meets it and fails", 1./400, 1, 0.95, "all that met it failed"),
		met("1 request in 4,500 meets it and fails", 1./4500, 1, 0, "all that met it failed, though few did"),
		users,
		slowly("half meet it, the others are 1.42 times slower", 0.5, 1.42),
		slowly("a tenth meet it, the others are 1.25 times slower", 0.1, 1.25),
		well,
		spills("half meet it, of the others 1.6 pp more fail", 0.5, 0.016, 0.005),
		spills("half meet it, of the others 5 pp more fail", 0.5, 0.05, 0.02),
		spills("a tenth meet it, of the others 6 pp more fail", 0.1, 0.06, 0.05),
	}
}
