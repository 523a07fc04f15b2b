package worlds

import (
	"math"
	"testing"
	"time"
)

// seen is what a stream does in a while.
type seen struct{ requests, failed, experiment, slow, met, events float64 }

func watch(t Traffic, inject, end time.Duration, seed uint64) (before, since seen) {
	s := t.Start(seed, true)
	for {
		q := s.Next()
		if s.injected < 0 && q.At >= inject {
			s.Inject()
		}
		if q.At >= end {
			return before, since
		}
		to := &before
		if s.injected >= 0 {
			to = &since
		}
		to.requests++
		for _, x := range []struct {
			to *float64
			is bool
		}{{&to.failed, q.Failed}, {&to.experiment, q.Experiment}, {&to.slow, q.Took > median}, {&to.met, q.Met}, {&to.events, q.Events > 0}} {
			if x.is {
				*x.to++
			}
		}
	}
}

// Traffic is as it says: as many requests, of which as many fail.
func TestTrafficIsAsItSays(t *testing.T) {
	for _, w := range All() {
		if w.Traffic.Rate != 50 || len(w.Traffic.Changes) > 0 || w.Traffic.Load != nil || w.Traffic.Retries > 0 || w.Traffic.Users < 400 {
			continue
		}
		n, failed := 0.0, 0.0
		for seed := range uint64(20) {
			before, _ := watch(w.Traffic, time.Minute, time.Minute, seed)
			n, failed = n+before.requests, failed+before.failed
		}
		if math.Abs(n/(20*6000)-1) > 0.1 || failed/n > 6*usual && failed < n || failed/n < usual/2 {
			t.Errorf("%s: %.0f requests, %.2g failed", w.Name, n, failed/n)
		}
	}
}

// What a change says comes to pass, when and to whom it says so.
func TestChangesComeToPass(t *testing.T) {
	sound := Traffic{Rate: 500, Users: 2000, Fails: Alike(0.01)}
	for name, c := range map[string]struct {
		change Change
		failed float64 // of all, since the injection
	}{
		"everybody": {Change{Adds: 0.1}, 0.11},
		"one arm":   {Change{Arm: Experiment, Adds: 0.1}, 0.06},
		"a share":   {Change{Share: 0.1, Fails: 1}, 0.109},
		"users":     {Change{Users: 0.1, Fails: 1}, 0.109},
		"broken":    {Change{Arm: Control, Broken: 100, Fails: 1}, 0.06},
		"late":      {Change{From: 15 * time.Second, Fails: 1}, 0.505},
		"for long":  {Change{For: 15 * time.Second, Fails: 1}, 0.505},
		"rising":    {Change{For: 30 * time.Second, Adds: 0.2, Rises: true}, 0.11},
		"again":     {Change{Every: 3 * time.Second, For: time.Second, Fails: 1}, 0.34},
	} {
		before, since := watch(sound.with(c.change), 30*time.Second, time.Minute, 1)
		if p := before.failed / before.requests; math.Abs(p-0.01) > 0.004 {
			t.Errorf("%s: %.3g failed before", name, p)
		}
		if p := since.failed / since.requests; math.Abs(p-c.failed) > 0.015 {
			t.Errorf("%s: %.3g failed since, not %.3g", name, p, c.failed)
		}
	}
}

// What is added for a harm just beyond the margin is that much of all requests, retries counted.
func TestRetriesAreCountedInWhatIsAdded(t *testing.T) {
	p := Traffic{Rate: 500, Users: 2000, Retries: 3, Fails: Alike(usual)}
	before, since := watch(p.with(Change{Adds: p.adding(0.03)}), 5*time.Minute, 10*time.Minute, 2)
	if d := since.failed/since.requests - before.failed/before.requests; math.Abs(d-0.03) > 0.003 {
		t.Errorf("added %.4g", d)
	}
}

func TestTheSameSeedIsTheSameTraffic(t *testing.T) {
	for _, w := range All() {
		a, b := w.Traffic.Start(7, true), w.Traffic.Start(7, true)
		for range 1000 {
			if a.Next() != b.Next() {
				t.Fatal(w.Name)
			}
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, timed := range []bool{false, true} {
		s := equal().at(50).Start(1, timed)
		b.Run(map[bool]string{true: "timed"}[timed], func(b *testing.B) {
			for b.Loop() {
				s.Next()
			}
		})
	}
}
