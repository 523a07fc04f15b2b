package report_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// scene is a run with arms, as it could have been: drawn with a fixed seed and
// judged by the real analysis.
type scene struct {
	rate      float64       // requests per second and arm
	fails     [2]float64    // share of requests that fail, in control and experiment, while the fault is in
	slower    float64       // how many times as slow the experiment is, while the fault is in
	atMost    time.Duration // how long the fault may be in
	missing   int           // the second from which the latency goes missing; 0: never
	callers   bool          // a probe watches the callers
	cost      bool          // the experiment has prices
	seed      uint64        //
	keepsSlow int           // seconds for which the experiment stays slow after the revert
	margin    float64       // of the success rate
}

// scenes are the runs with arms of the golden files.
func scenes() map[string]scene {
	return map[string]scene{
		"cleared":     {rate: 50, fails: [2]float64{.005, .005}, slower: 1, atMost: 10 * time.Minute, callers: true, cost: true, seed: 1, margin: .005},
		"harmed":      {rate: 50, fails: [2]float64{.005, .028}, slower: 1.03, atMost: 10 * time.Minute, callers: true, cost: true, seed: 2, keepsSlow: 3, margin: .01},
		"few":         {rate: .8, fails: [2]float64{.01, .01}, slower: 1.1, atMost: 2 * time.Minute, seed: 3, margin: .005},
		"gone-silent": {rate: 40, fails: [2]float64{.005, .005}, slower: 1, atMost: 90 * time.Second, missing: 8, seed: 4, margin: .01},
	}
}

const (
	armsID = "7f3a91c2.0.1"
	polite = "callers back off"
)

// armsPlan is the plan of a scene.
func (s scene) plan() mishap.Plan {
	p := checkoutPlan()
	e := &p.Experiment
	e.Name, e.Claim = "checkout-falls-back", "Customers can still check out when payments answers 300 ms late."
	e.Tags = map[string]string{"service": "checkout"}
	e.Faults, p.Injections, p.Notes = e.Faults[:1], p.Injections[:1], nil
	e.Faults[0].For = mishap.Duration(s.atMost)
	e.SteadyState = e.SteadyState[:1]
	if s.callers {
		e.SteadyState = append(e.SteadyState, mishap.ProbeSpec{Name: polite, Probe: "callers", Every: mishap.Duration(10 * time.Second), When: []mishap.Phase{mishap.During}, OnDeviation: mishap.NoteDeviation})
	}
	e.Compare = &mishap.Compare{
		Arms:     mishap.Arms{From: mishap.ArmsFromRequests, Proxy: "edge", Key: "cookie:session", Share: .05, Seed: 42},
		Baseline: mishap.BaselineTime{Time: mishap.Duration(time.Minute)}, Alpha: .01, StopAfter: mishap.StopAfter{ExtraFailures: 80},
		Metrics: []mishap.CompareMetric{
			{Name: "success-rate", Metric: mishap.SuccessRate, Source: "proxy", Harm: mishap.Decrease, Margin: mishap.Margin{Difference: s.margin}},
			{Name: "latency", Metric: mishap.Latency, Source: "proxy", Harm: mishap.Increase, Margin: mishap.Margin{Ratio: 1.2}},
		},
	}
	if s.cost {
		e.Cost = &mishap.Cost{PerRequest: 1.8, PerMinute: 250, Currency: "EUR"}
	}
	return p
}

// armsStory plays a scene.
type armsStory struct {
	*story
	scene
	t       *testing.T
	random  *rand.Rand
	judge   *analysis.Comparison
	bounds  []float64
	total   [2]analysis.Arm
	elapsed int // seconds since the phase began
}

// journal is the story of a scene from plan to verdict.
func (s scene) journal(t *testing.T) *story {
	t.Helper()
	a := &armsStory{story: tell(s.plan()), scene: s, t: t, random: rand.New(rand.NewPCG(s.seed, 20261123))}
	for edge := .001; edge < 8; edge *= math.Pow(2, .25) {
		a.bounds = append(a.bounds, math.Round(edge*1e5)/1e5)
	}
	judge, err := analysis.New(analysis.Plan{
		Alpha: .01, Share: .5, Horizon: s.atMost, ExtraFailures: 80,
		Metrics: []analysis.Metric{
			{Name: "success-rate", Kind: analysis.SuccessRate, Margin: analysis.Margin{Difference: s.margin}},
			{Name: "latency", Kind: analysis.Latency, Margin: analysis.Margin{Ratio: 1.2}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.judge = judge
	a.begin()
	a.hold()
	a.end()
	return a.story
}

// begin is everything before the fault.
func (a *armsStory) begin() {
	a.wait(time.Second).state(mishap.Checking, "", "").check("self", mishap.Yes, "").check("window", mishap.Yes, "").
		observe(1, mishap.Before, pays, mishap.Met, "200 in 12ms", "")
	arms := mishap.Injection{
		ID: armsID, Fault: mishap.ArmsFault, Injector: "arms", Matched: 1, Share: .05, For: mishap.Duration(15 * time.Minute),
		Target: mishap.Target{ID: "edge", Kind: "proxy", Name: "edge"}, Keys: []mishap.Key{{Thing: "proxy/edge/arms"}},
	}
	slow := slowPayments()
	slow.For = mishap.Duration(a.atMost)
	a.prepare(arms).prepare(slow).state(mishap.Baseline, "", "").
		injection(armsID, mishap.InjectionInjecting, "").injection(armsID, mishap.InjectionInjected, "").look(1, armsID, mishap.Yes, nil)
	for range 60 {
		a.second(mishap.InBaseline, a.elapsed == 59)
	}
	a.state(mishap.Injecting, "", "").injection(one, mishap.InjectionInjecting, "").wait(20*time.Millisecond).injection(one, mishap.InjectionInjected, "").
		state(mishap.Holding, "", "")
	if err := a.judge.Begin(a.at); err != nil {
		a.t.Fatal(err)
	}
	a.elapsed, a.total = 0, [2]analysis.Arm{}
}

// hold watches until the analysis has decided.
func (a *armsStory) hold() {
	for {
		last := a.decides(1)
		c := a.second(mishap.InHold, last)
		if a.elapsed%5 == 0 {
			n := int64(a.elapsed) * int64(a.rate)
			felt := *feltByMany
			felt.Connections, felt.Bytes, felt.Count = n/12+1, n*900, n
			felt.P50 += mishap.Duration(a.random.IntN(900)) * mishap.Duration(time.Microsecond)
			felt.P99 += mishap.Duration(a.random.IntN(9)) * mishap.Duration(time.Millisecond)
			a.look(1, one, mishap.Yes, &felt)
		}
		if a.callers && a.elapsed%10 == 0 {
			a.observe(1, mishap.During, polite, mishap.Met, "1.2 attempts per request, gaps exponential, jitter present", "")
		}
		if c.Outcome != "" {
			causes := map[mishap.ComparisonOutcome]mishap.Cause{mishap.HarmShown: mishap.CauseHarm, mishap.HarmRuledOut: mishap.CauseCleared, mishap.Undecided: mishap.CauseUndecided}
			a.state(mishap.Reverting, causes[c.Outcome], c.Reason)
			return
		}
	}
}

// decides reports whether the next second is the last that the fault may be in;
// an earlier decision is seen only after it.
func (a *armsStory) decides(ahead int) bool {
	return time.Duration(a.elapsed+ahead)*time.Second >= a.atMost
}

// end reverts, watches the arms come back, and completes.
func (a *armsStory) end() {
	a.injection(one, mishap.InjectionReverting, "").wait(30*time.Millisecond).injection(one, mishap.InjectionReverted, "").state(mishap.Verifying, "", "")
	a.elapsed, a.total = 0, [2]analysis.Arm{}
	after := time.Duration(a.keepsSlow)*time.Second + 400*time.Millisecond
	for i := range a.keepsSlow + 5 {
		a.second(mishap.InRecovery, i == a.keepsSlow+4)
		if i < a.keepsSlow {
			a.observe(1, mishap.After, pays, mishap.Unmet, "200 in 2.2s", "latency is 2.2s, not at most 2s")
		} else if i < a.keepsSlow+2 {
			a.observe(1, mishap.After, pays, mishap.Met, "200 in 14ms", "")
		}
	}
	a.add(mishap.Entry{Recovered: &mishap.Recovered{In: true, Took: mishap.Duration(after), Resolution: mishap.Duration(400 * time.Millisecond), Attempts: a.keepsSlow + 2}})
	a.injection(armsID, mishap.InjectionReverting, "").injection(armsID, mishap.InjectionReverted, "").state(mishap.Completed, "", "")
}

// second lets both arms serve for a second and looks at them.
func (a *armsStory) second(phase mishap.ComparisonPhase, last bool) *mishap.Comparison {
	fails, slower := [2]float64{.005, .005}, 1.
	if phase == mishap.InHold {
		fails, slower = a.fails, a.slower
	}
	if phase == mishap.InRecovery && a.elapsed < a.keepsSlow {
		slower = a.slower
	}
	b := analysis.Bucket{Start: a.at, Width: time.Second, Control: a.serve(fails[0], 1), Experiment: a.serve(fails[1], slower)}
	a.elapsed++
	if phases := map[mishap.ComparisonPhase]mishap.Phase{mishap.InBaseline: mishap.Before, mishap.InHold: mishap.During}; phases[phase] != "" {
		a.observe(1, phases[phase], pays, mishap.Met, fmt.Sprintf("200 in %dms", 12+a.random.IntN(5)), "")
	}
	a.wait(time.Second)
	if phase != mishap.InRecovery {
		a.feed(b, phase)
	}
	add(&a.total[0], b.Control)
	add(&a.total[1], b.Experiment)
	c := a.status(b, phase, last)
	a.add(mishap.Entry{Comparison: c})
	return c
}

// feed gives the second to the analysis, as far as it was measured.
func (a *armsStory) feed(b analysis.Bucket, phase mishap.ComparisonPhase) {
	for _, metric := range []string{"success-rate", "latency"} {
		if metric == "latency" && a.gone(phase) {
			continue
		}
		if err := a.judge.Observe(metric, b); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *armsStory) gone(phase mishap.ComparisonPhase) bool {
	return a.missing > 0 && phase != mishap.InBaseline && a.elapsed > a.missing
}

// status is what the analysis says of the second.
func (a *armsStory) status(b analysis.Bucket, phase mishap.ComparisonPhase, last bool) *mishap.Comparison {
	s := a.judge.Status(a.at)
	c := &mishap.Comparison{Phase: phase, Start: b.Start, Width: mishap.Duration(b.Width)}
	if phase == mishap.InHold {
		c.Harm, c.Extra, c.Left = s.Harm, s.ExtraFailures, mishap.Duration(a.atMost-time.Duration(a.elapsed)*time.Second)
		outcomes := map[analysis.Outcome]mishap.ComparisonOutcome{analysis.Abort: mishap.HarmShown, analysis.Clear: mishap.HarmRuledOut, analysis.Inconclusive: mishap.Undecided}
		c.Outcome, c.Reason = outcomes[s.Decision.Outcome], s.Decision.Reason
		last = last || c.Outcome != ""
	}
	if phase == mishap.InBaseline && a.elapsed%20 == 1 {
		c.Assigned = &mishap.ArmCount{Control: 120, Experiment: 118}
	}
	for _, m := range s.Metrics[:2] {
		look := mishap.MetricLook{Name: m.Name}
		if m.Name == "latency" && a.gone(phase) {
			c.Doubts = append(c.Doubts, "latency has not been measured for a while")
		} else {
			look.Control, look.Experiment = armLook(m.Name, b.Control, false), armLook(m.Name, b.Experiment, false)
		}
		look.Total = mishap.ArmsLook{Control: armLook(m.Name, a.total[0], last), Experiment: armLook(m.Name, a.total[1], last)}
		if phase == mishap.InHold {
			look.Harm, look.Clear, look.Difference, look.Ratio = m.Harm, m.Clear, interval(m.Difference), interval(m.Ratio)
		}
		c.Metrics = append(c.Metrics, look)
	}
	return c
}

// serve draws what an arm does in a second.
func (a *armsStory) serve(fails, slower float64) analysis.Arm {
	arm := analysis.Arm{Latency: analysis.Histogram{Bounds: a.bounds, Counts: make([]int64, len(a.bounds)+1)}}
	mean := a.rate * (1 + .1*math.Sin(float64(len(a.entries))/40))
	arm.Requests = max(0, int64(math.Round(mean+math.Sqrt(mean)*a.random.NormFloat64())))
	for range arm.Requests {
		if a.random.Float64() >= fails {
			arm.Successes++
		}
		took := .06 * math.Exp(.5*a.random.NormFloat64()) * slower
		bin := 0
		for bin < len(a.bounds) && took > a.bounds[bin] {
			bin++
		}
		arm.Latency.Counts[bin]++
	}
	return arm
}

func add(total *analysis.Arm, one analysis.Arm) {
	total.Requests += one.Requests
	total.Successes += one.Successes
	if total.Latency.IsZero() {
		total.Latency = analysis.Histogram{Bounds: one.Latency.Bounds, Counts: make([]int64, len(one.Latency.Counts))}
	}
	for i, n := range one.Latency.Counts {
		total.Latency.Counts[i] += n
	}
}

// armLook is an arm as a look has it.
func armLook(metric string, arm analysis.Arm, histogram bool) mishap.ArmLook {
	if metric != "latency" {
		return mishap.ArmLook{Requests: arm.Requests, Successes: arm.Successes}
	}
	l := mishap.ArmLook{Requests: arm.Requests, P50: quantile(arm.Latency, .5), P99: quantile(arm.Latency, .99)}
	if histogram {
		l.Bounds, l.Counts = arm.Latency.Bounds, arm.Latency.Counts
	}
	return l
}

// quantile is the bound of the bin that it lies in.
func quantile(h analysis.Histogram, q float64) mishap.Duration {
	var all, below int64
	for _, n := range h.Counts {
		all += n
	}
	for i, n := range h.Counts {
		if below += n; below > 0 && float64(below) >= q*float64(all) {
			return mishap.Duration(h.Bounds[min(i, len(h.Bounds)-1)] * float64(time.Second))
		}
	}
	return 0
}

func interval(i *analysis.Interval) *mishap.Interval {
	if i == nil {
		return nil
	}
	return &mishap.Interval{Low: i.Low, Estimate: i.Estimate, High: i.High}
}
