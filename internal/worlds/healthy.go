package worlds

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"mishap"
)

type place struct {
	name    string
	traffic Traffic
	latency bool // it is about latency
	events  bool // it is about events
	little  bool // of few units, of which nothing may be cleared
	longer  bool // watched for 15 minutes too
	drifts  bool // both arms change by themselves
}

// places are systems in which nothing is wrong, or not because of the fault.
func places() []place {
	all := Alike(usual)
	usersOf := func(n int) Traffic { return Traffic{Users: n, Fails: all} }
	page := func(n int) Traffic { return Traffic{Users: 2000, Page: n, Fails: all} }
	sessions := func(icc float64) Traffic { return Traffic{Users: 200, Stays: 50, Fails: Clustered(usual, icc)} }
	few := func(n int) Traffic { return Traffic{Users: n, Activity: 1, Fails: Unlike(usual, 0.6)} }
	targets := func(n int) Traffic { return Traffic{Users: 2 * n, Balanced: true, Fails: Unlike(usual, 0.6)} }
	heavy := func(r func(*rand.Rand) float64) Traffic { return Traffic{Users: 2000, Heavy: 0.3, Fails: r} }
	list := []place{
		{name: "equal users", traffic: usersOf(2000), longer: true},
		{name: "users of unlike activity", traffic: Traffic{Users: 400, Activity: 1, Fails: all}},
		{name: "page views of 6", traffic: page(6)},
		{name: "page views of 20", traffic: page(20), longer: true},
		{name: "sessions, ICC 0.1", traffic: sessions(0.1), longer: true},
		{name: "sessions, ICC 0.3", traffic: sessions(0.3)},
		{name: "2 % of 400 users fail 20 %", traffic: Traffic{Users: 400, Fails: Some(0.02, 0.2, usual)}, longer: true},
		{name: "users unlike in latency", traffic: Traffic{Users: 400, Fails: all, Slow: Unlike(1, 0.5)}, latency: true},
		{name: "each failure retried 3 times", traffic: Traffic{Users: 2000, Retries: 3, Fails: all}},
		{name: "one user has 30 %", traffic: heavy(all), little: true}, // who has so much leaves too few others
		{name: "one user has 30 % and fails 2 %", traffic: heavy(Alike(4 * usual)), little: true},
		{name: "events", traffic: Traffic{Users: 2000, Fails: all, Events: Unlike(0.5, 0.5)}, events: true},
		{name: "events, one user has 30 %", traffic: Traffic{Users: 400, Heavy: 0.3, Fails: all, Events: Unlike(0.5, 0.5)}, events: true, little: true},
		{name: "30 % bots", traffic: Traffic{Users: 400, Bots: 0.3, Fails: all}},
		{name: "outages of 4 s in both arms", drifts: true, traffic: usersOf(2000).with(
			Change{Always: true, Every: 75 * time.Second, For: 4 * time.Second, Fails: 0.9})},
		{name: "failures of all rise", drifts: true, traffic: usersOf(2000).with(
			Change{Always: true, For: 7 * time.Minute, Adds: 0.02, Rises: true})},
		{name: "traffic doubles", traffic: loaded(func(t time.Duration) float64 { return 1 + math.Floor(min(t.Minutes()/2, 1)) })},
		{name: "traffic stops and comes back", traffic: loaded(func(t time.Duration) float64 {
			if t%(100*time.Second) > 80*time.Second {
				return 0
			}
			return 1.25
		})},
		{name: "pauses of 1 s", traffic: usersOf(2000).with(
			Change{Always: true, Every: 20 * time.Second, For: time.Second, Holds: true}), latency: true},
		{name: "100 users, some of whom fail much more", traffic: Traffic{Users: 100, Fails: Unlike(2*usual, 1)}},
	}
	for _, n := range []int{4, 10, 20, 40} {
		list = append(list, place{name: fmt.Sprintf("%d users", n), traffic: few(n), little: n < 40})
	}
	for _, n := range []int{2, 5, 10} {
		list = append(list, place{name: fmt.Sprintf("%d targets per arm", n), traffic: targets(n), little: true})
	}
	return list
}

func loaded(load func(time.Duration) float64) Traffic {
	return Traffic{Users: 2000, Fails: Alike(usual), Load: load}
}

// Healthy are worlds in which the fault does nothing, each asked in three ways: without a margin, so that any harm stops, nothing
// is ever cleared and all chances of a false alarm are taken; with those of a usual experiment; and with harm that is just beyond the
// margin, of which "held" is false.
func Healthy() (list []World) {
	for _, p := range places() {
		for _, rate := range []float64{5, 50} {
			list = append(list, p.asked(rate, 0)...)
		}
		if p.longer {
			list = append(list, p.asked(50, 15*time.Minute)...)
			list = append(list, p.asked(400, 0)...)
		}
	}
	return list
}

func (p place) asked(rate float64, length time.Duration) []World {
	name := fmt.Sprintf("%s, %g/s", p.name, rate)
	if length > 0 {
		name += fmt.Sprintf(", %.0f min", length.Minutes())
	}
	t := p.traffic.at(rate)
	// At 5 requests/s half a percentage point takes a quarter of an hour, and p99 longer.
	margin, slower := 0.005, 0.2
	if rate < 50 {
		margin, slower = 0.02, 0
	}
	const over = 1.02
	tight, normal, beyond := Asked{Success: margin, NoMargin: true}, Asked{Success: margin, Latency: slower}, Asked{Success: margin}
	harm := Change{Arm: Experiment, Adds: t.adding(over * margin)}
	switch {
	case p.latency:
		tight, beyond = Asked{Latency: 0.2, NoMargin: true}, Asked{Latency: 0.2}
		harm = Change{Arm: Experiment, Slower: 1.2 * over}
	case p.events:
		tight, normal, beyond = Asked{Events: 0.05, NoMargin: true}, Asked{Success: margin, Events: 0.05}, Asked{Events: 0.05}
		harm = Change{Arm: Experiment, Events: 1 - 0.05*over}
	}
	why, right := "the fault does nothing", []mishap.Verdict{mishap.Deviated}
	if p.little {
		why, right = "the fault does nothing, and there are too few units to clear anything", append(right, mishap.Held)
	}
	list := []World{
		{Name: name + ", no margin", Traffic: t, Asked: tight, Wrong: []mishap.Verdict{mishap.Deviated, mishap.Held}, Why: "the fault does nothing; without a margin nothing can be held"},
		{Name: name, Traffic: t, Asked: normal, Wrong: right, Why: why},
	}
	if !p.drifts {
		w := World{Name: name + ", just beyond", Traffic: t.with(harm), Asked: beyond, Wrong: []mishap.Verdict{mishap.Held},
			Why: "the fault does 1.02 times the harm of the margin"}
		if harm.Adds > 0 {
			w.Beyond, w.Why = margin, w.Why+", and the experiment's own users had more than the margin"
		}
		list = append(list, w)
	}
	for i := range list {
		list[i].Asked.For, list[i].Asked.Targets = length, t.Balanced
	}
	return list
}
