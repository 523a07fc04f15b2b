package analysis

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// vectors decodes one entry of the known answers, of which 12 digits are given.
func vectors[T any](t *testing.T, name string) T {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	all, v := map[string]json.RawMessage{}, *new(T)
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[name], &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// same compares to 1e-9, relative or absolute.
func same(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s: got %.13g, want %.13g", what, got, want)
	}
}

func sameAll(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		same(t, what+" "+strconv.Itoa(i), got[i], want[i])
	}
}

func exps(logs []float64) []float64 {
	all := make([]float64, len(logs))
	for i, l := range logs {
		all[i] = math.Exp(l)
	}
	return all
}

func TestGridsAreTheKnownOnes(t *testing.T) {
	type grid struct{ Out []float64 }
	sameAll(t, "up", exps(logRatiosUp()), vectors[grid](t, "grid_psi_up").Out)
	sameAll(t, "down", exps(logRatiosDown()), vectors[grid](t, "grid_rate_down").Out)
}

func TestABucketOfFailuresIsWeighedAsKnown(t *testing.T) {
	v := vectors[struct {
		NE, FE, NC, FC, ThetaC, Psi, Q float64
		RSuccess                       float64 `json:"R_success"`
		RFail                          float64 `json:"R_fail"`
		LogE                           float64 `json:"log_e"`
	}](t, "bern_bucket")
	d := 1 - v.ThetaC + v.Psi*v.ThetaC
	same(t, "R success", 1/d, v.RSuccess)
	same(t, "R fail", v.Psi/d, v.RFail)
	q := seenShare(0, v.NE, v.NC)
	same(t, "q", q, v.Q)
	b := newBet(2)
	b.setRatio(0, -math.Log(d), 1/d, q)
	b.setRatio(1, math.Log(v.Psi/d), v.Psi/d, q)
	same(t, "log e", b.logE([]float64{v.NE - v.FE, v.FE}, []float64{v.NC - v.FC, v.FC}), v.LogE)
}

func TestASequenceOfFailuresIsWeighedAsKnown(t *testing.T) {
	v := vectors[struct {
		H    float64
		Rows []struct {
			NE, FE, NC, FC int64
			Theta          float64
			Mix            float64 `json:"log_e_mix"`
			PMix           float64 `json:"p_mix"`
			Switch         float64 `json:"log_e_switch"`
			PSwitch        float64 `json:"p_switch"`
		}
	}](t, "bern_sequence")
	f := newFailures(Metric{Usual: 0.01, Tolerance: 1, Dispersion: 1}, 0, 0)
	plain, switching := newMixture(uniform(sizes), 1), newMixture(uniform(sizes), begunAtOnce)
	mostPlain, mostSwitching := 0.0, 0.0
	for i, r := range v.Rows {
		b := &Bucket{Control: Arm{Requests: r.NC, Successes: r.NC - r.FC}, Experiment: Arm{Requests: r.NE, Successes: r.NE - r.FE}}
		same(t, "theta", f.theta(), r.Theta)
		hE, hC := trials(b)
		f.wager(seenShare(0, float64(r.NE), float64(r.NC)))
		for k, bet := range f.bets {
			f.logE[k] = bet.logE(hE[:], hC[:])
		}
		// h is 1/300 here, not 1-exp(-1/300)
		switching.change(uniform(sizes), math.Log(1./300), math.Log1p(-1./300))
		plain.add(f.logE)
		switching.add(f.logE)
		f.learn(b, false)
		mostPlain, mostSwitching = max(mostPlain, plain.logE()), max(mostSwitching, switching.logE())
		row := " of row " + strconv.Itoa(i)
		same(t, "plain mixture"+row, plain.logE(), r.Mix)
		same(t, "its p"+row, math.Exp(-mostPlain), r.PMix)
		same(t, "switch"+row, switching.logE(), r.Switch)
		same(t, "its p"+row, math.Exp(-mostSwitching), r.PSwitch)
	}
}

func TestABucketOfEventsIsWeighedAsKnown(t *testing.T) {
	for _, name := range []string{"pois_bucket", "pois_bucket_10pct"} {
		v := vectors[struct {
			X, Y, Q0 float64
			Each     []float64 `json:"per_component"`
			Mix      float64   `json:"log_e_mix"`
		}](t, name)
		e := newEvents(Metric{Harm: Decrease, Tolerance: 1, Dispersion: 1}, v.Q0, 0, nil)
		var each []float64
		m := newMixture(uniform(sizes), 1)
		for _, b := range e.bets {
			each = append(each, b.logE([]float64{v.X}, []float64{v.Y}))
		}
		sameAll(t, name, each, v.Each)
		m.add(each)
		same(t, name+" mixture", m.logE(), v.Mix)
	}
}

func TestMarginsAreWeighedAsKnown(t *testing.T) {
	r := vectors[struct {
		FE, FC, Q, R, R0 float64
		NoHarm           float64 `json:"log_e_no_harm"`
		Harm             float64 `json:"log_e_harm_r4_r02"`
	}](t, "ratio_margin")
	b := newBet(1)
	b.setMargin(0, r.R, r.R0, r.Q)
	same(t, "ratio", b.logE([]float64{r.FE}, []float64{r.FC}), r.NoHarm)
	b.setMargin(0, 4, 2, 0.5)
	same(t, "ratio beyond tolerance", b.logE([]float64{40}, []float64{9}), r.Harm)
	tilted := newBet(1)
	tilted.setRatio(0, math.Log(2), 2, tilt(0.5, 2))
	same(t, "ratio by tilting", tilted.logE([]float64{40}, []float64{9}), r.Harm)
	for _, name := range []string{"diff_margin", "diff_margin_harm"} {
		v := vectors[struct {
			FE, NE, FC, NC, TC, TE, Delta, S float64
			LogE                             float64 `json:"log_e"`
		}](t, name)
		d := newBet(2)
		same(t, name+" s", d.setDifference(v.NE, v.NC, v.TE, v.TC, v.Delta), v.S)
		same(t, name, d.logE([]float64{v.NE - v.FE, v.FE}, []float64{v.NC - v.FC, v.FC}), v.LogE)
	}
}

func TestCurvesOfLatencyAreTheKnownOnes(t *testing.T) {
	for name, g := range map[string]roc{"roc_binormal_0.4": {shift: 0.4}, "roc_tail_.03_.01": {share: 0.03, tail: 0.01}} {
		v := vectors[struct {
			S        []float64 `json:"S_upper"`
			R        []float64 `json:"R"`
			HE, HC   []float64
			Q, Log_E float64
		}](t, name)
		mass, before := make([]float64, len(v.S)), 1.0
		for i, s := range v.S {
			mass[i], before = before-s, s
		}
		r := g.ratios(mass)
		sameAll(t, name, r, v.R)
		b := newBet(len(r))
		for i := range r {
			b.setRatio(i, math.Log(r[i]), r[i], v.Q)
		}
		same(t, name+" log e", b.logE(v.HE, v.HC), v.Log_E)
	}
}

func TestIntervalsAreTheKnownOnes(t *testing.T) {
	type vector struct {
		X, Y, Q0, A, B float64
		LogE           float64   `json:"log_e"`
		P              *float64  `json:"p"`
		Greater        *float64  `json:"log_e_greater"`
		Less           float64   `json:"log_e_less"`
		Q95            []float64 `json:"cs95_q"`
		Q99            []float64 `json:"cs99_q"`
		Ratio          []float64 `json:"cs95_ratio"`
	}
	for _, name := range []string{"betabin_1", "betabin_50", "betabin_split"} {
		v := vectors[vector](t, name)
		m := BetaBinomial{v.A, v.B}
		same(t, name, m.LogE(v.X, v.Y, v.Q0), v.LogE)
		same(t, name+" less", m.LogLess(v.X, v.Y, v.Q0), v.Less)
		if v.Greater != nil {
			same(t, name+" greater", m.LogGreater(v.X, v.Y, v.Q0), *v.Greater)
			same(t, name+" p", math.Min(1, math.Exp(-v.LogE)), *v.P)
			i95, i99 := m.Interval(v.X, v.Y, 0.05), m.Interval(v.X, v.Y, 0.01)
			sameAll(t, name+" 95", []float64{i95.Low, i95.High}, v.Q95)
			sameAll(t, name+" 99", []float64{i99.Low, i99.High}, v.Q99)
		}
		if name != "betabin_1" { // the prior that RatioInterval has
			r := RatioInterval(v.X, v.Y, v.Q0, 0.05)
			sameAll(t, name+" ratio", []float64{r.Low, r.High}, v.Ratio)
		}
	}
	s := vectors[struct {
		S, F, Alpha float64
		Out         []float64
	}](t, "cs_prop")
	i := ShareInterval(s.S, s.F, s.Alpha)
	sameAll(t, "share", []float64{i.Low, i.High}, s.Out)
	q := vectors[struct {
		N     int64
		Alpha float64
		P50   []int64
		P99   []int64
	}](t, "quantile_counts")
	for p, want := range map[float64][]int64{0.5: q.P50, 0.99: q.P99} {
		if least, most := QuantileCounts(q.N, p, q.Alpha); least != want[0] || most != want[1] {
			t.Errorf("quantile %g: got [%d, %d], want %v", p, least, most, want)
		}
	}
}

func TestGaussianEvidenceIsAsKnown(t *testing.T) {
	n := vectors[struct {
		S, V, Rho2 float64
		Two        float64 `json:"two_sided"`
		One        float64 `json:"one_sided"`
	}](t, "normal_mix")
	same(t, "two-sided", NormalMixture(n.S, n.V, n.Rho2, false), n.Two)
	same(t, "one-sided", NormalMixture(n.S, n.V, n.Rho2, true), n.One)
	c := vectors[struct {
		Mean, Var, T, Alpha, Rho2 float64
		CS                        []float64
	}](t, "asymp_cs")
	i, err := MeanInterval(c.Mean, c.Var, c.T, c.Rho2, c.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	sameAll(t, "mean", []float64{i.Low, i.High}, c.CS)
	r := vectors[struct {
		V     float64 `json:"V_opt"`
		Alpha float64
		Out   float64
	}](t, "best_rho2")
	same(t, "best rho2", BestRho2(r.V, r.Alpha), r.Out)
	b := vectors[struct {
		N     []int64
		Alpha float64
		Out   []float64
	}](t, "hr_band")
	for k, n := range b.N {
		same(t, "band", Band(n, b.Alpha), b.Out[k])
	}
}

func TestSymmetryAndAveragesAreAsKnown(t *testing.T) {
	for _, name := range []string{"sym", "sym_neg"} {
		v := vectors[struct{ D, Lam, Log_E float64 }](t, name)
		same(t, name, logSymmetry(v.D, v.Lam), v.Log_E)
	}
	a := vectors[struct {
		LogE []float64 `json:"log_es"`
		W    []float64
		Out  float64
	}](t, "avg")
	same(t, "average", weigh(a.LogE, a.W), a.Out)
	l := vectors[struct {
		Inp []float64
		Out float64
	}](t, "logsumexp")
	same(t, "logsumexp", logSumExp(l.Inp...), l.Out)
	i := vectors[struct {
		Inp [][]float64
		Out []float64
	}](t, "log_betainc")
	for k, in := range i.Inp {
		same(t, "incomplete beta", logBetaInc(in[0], in[1], in[2]), i.Out[k])
	}
}

func TestSplitsAreWeighedAsKnown(t *testing.T) {
	for _, name := range []string{"srm", "srm3"} {
		v := vectors[struct {
			Counts []int64
			P0     []float64
			Log_E  float64
		}](t, name)
		got, err := SplitEvidence(v.Counts, v.P0)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, v.Log_E)
	}
}

func TestBoostingIsAsKnown(t *testing.T) {
	v := vectors[map[string]any](t, "boost") // m and M, g and G differ
	number := func(name string) float64 { return v[name].(float64) }
	m := newMixture(uniform(sizes), 1)
	var all []outcome
	for k := 0.0; k <= number("m"); k++ {
		var logE []float64
		for _, l := range logRatiosUp() {
			b := newBet(1)
			b.setRatio(0, l, math.Exp(l), number("q0"))
			logE = append(logE, b.logE([]float64{k}, []float64{number("m") - k}))
		}
		same(t, "gain", m.logEWith(logE), v["g"].([]any)[int(k)].(float64))
		all = append(all, outcome{binomial(k, number("m"), number("q0")), m.logEWith(logE)})
	}
	same(t, "log b", boost(all, math.Log(1/number("alpha"))-math.Log(number("M"))), number("log_b"))
}

func TestBoundsOnDetectionAreAsKnown(t *testing.T) {
	v := vectors[struct {
		Alpha   float64
		Pairs   map[string]float64 `json:"bern_pairs"`
		Seconds map[string]float64 `json:"pois_s"`
	}](t, "bounds")
	for p, want := range v.Pairs {
		x, _ := strconv.ParseFloat(p, 64)
		same(t, "pairs at "+p, boundPairs(0.005, x, v.Alpha), want)
	}
	for r, want := range v.Seconds {
		x, _ := strconv.ParseFloat(r, 64)
		same(t, "seconds at "+r, boundSeconds(50, 50*x, v.Alpha), want)
	}
}

// boundPairs is the least expected number of pairs of trials in which any test
// of level alpha can tell shares p and x apart, p being unknown (Wald).
func boundPairs(p, x, alpha float64) float64 {
	kl := func(a, b float64) float64 { return a*math.Log(a/b) + (1-a)*math.Log((1-a)/(1-b)) }
	return math.Log(1/alpha) / (kl(p, (p+x)/2) + kl(x, (p+x)/2))
}

// boundSeconds is the same of Poisson rates per second.
func boundSeconds(a, b, alpha float64) float64 {
	m := (a + b) / 2
	return math.Log(1/alpha) / (a*math.Log(a/m) + b*math.Log(b/m))
}
