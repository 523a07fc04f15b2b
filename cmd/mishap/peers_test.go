package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mishap"
)

// What others would do with the data of a run: an alarm as CloudWatch has it, and the judge of Kayenta. Both need minutes,
// which a run that was stopped does not have; so its looks go on, drawn again from those it has.

// minute is what both arms did in one minute.
type minute struct{ control, experiment mishap.ArmLook }

func (m *minute) add(look *mishap.MetricLook) {
	m.control.Requests += look.Control.Requests
	m.control.Successes += look.Control.Successes
	m.experiment.Requests += look.Experiment.Requests
	m.experiment.Successes += look.Experiment.Successes
}

func failures(a mishap.ArmLook) float64 {
	if a.Requests == 0 {
		return 0
	}
	return float64(a.Requests-a.Successes) / float64(a.Requests)
}

// goOn makes minutes of the looks while the fault was in force, as if they had gone on.
func goOn(run *mishap.Run, n int, r *rand.Rand) []minute {
	var looks []*mishap.Comparison
	for _, look := range run.Looks {
		if look.Phase == mishap.InHold && look.Metrics[0].Control.Requests > 0 && look.Width > 0 {
			looks = append(looks, look)
		}
	}
	all := make([]minute, n)
	for i := range all {
		for passed := time.Duration(0); passed < time.Minute; {
			look := looks[r.IntN(len(looks))]
			all[i].add(&look.Metrics[0])
			passed += look.Width.Std()
		}
	}
	return all
}

// alarmAfter is when an alarm goes off that looks at the experiment's share of failures: three minutes of three above 2 %.
// 0 is never.
func alarmAfter(minutes []minute) time.Duration {
	const least, periods = 0.02, 3
	above := 0
	for i, m := range minutes {
		if above++; failures(m.experiment) <= least {
			above = 0
		}
		if above == periods {
			return time.Duration(i+1) * time.Minute
		}
	}
	return 0
}

// kayentaAfter is when the judge of Kayenta finds the experiment's share of failures high, asked every minute from the
// fifth point on: Mann-Whitney at 98 %, and the lower end of the shift's interval above a quarter of the shift (NetflixACAJudge).
func kayentaAfter(minutes []minute) time.Duration {
	var control, experiment []float64
	for i, m := range minutes {
		control, experiment = append(control, failures(m.control)), append(experiment, failures(m.experiment))
		if i < 4 {
			continue // 4 against 4 can never differ at 98 %
		}
		if low, shift := hodgesLehmann(experiment, control); low > 0.25*math.Abs(shift) {
			return time.Duration(i+1) * time.Minute
		}
	}
	return 0
}

// hodgesLehmann is the shift of a over b, and the lower end of its interval at 98 % (normal approximation of Mann-Whitney).
func hodgesLehmann(a, b []float64) (low, shift float64) {
	var all []float64
	for _, x := range a {
		for _, y := range b {
			all = append(all, x-y)
		}
	}
	slices.Sort(all)
	n, m := float64(len(a)), float64(len(b))
	const z = 2.326 // of 0.99
	k := int(math.Floor(n*m/2 - z*math.Sqrt(n*m*(n+m+1)/12)))
	return all[max(k, 0)], all[len(all)/2]
}

func TestPeersDecideAsTheyAreDocumentedTo(t *testing.T) {
	arm := func(share float64) mishap.ArmLook {
		return mishap.ArmLook{Requests: 3000, Successes: 3000 - int64(3000*share)}
	}
	of := func(control, experiment float64) (all []minute) {
		for i := range 30 {
			wave := 1 + 0.1*float64(i%3)
			all = append(all, minute{arm(control * wave), arm(experiment * wave)})
		}
		return all
	}
	for name, c := range map[string]struct {
		minutes        []minute
		alarm, kayenta time.Duration
	}{
		"no harm":        {of(0.005, 0.005), 0, 0},
		"much":           {of(0.005, 0.05), 3 * time.Minute, 5 * time.Minute},
		"below an alarm": {of(0.005, 0.012), 0, 5 * time.Minute},
	} {
		if got := alarmAfter(c.minutes); got != c.alarm {
			t.Errorf("%s: alarm after %s, want %s", name, got, c.alarm)
		}
		if got := kayentaAfter(c.minutes); got != c.kayenta {
			t.Errorf("%s: Kayenta after %s, want %s", name, got, c.kayenta)
		}
	}
}
