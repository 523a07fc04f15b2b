package analysis

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"mishap/internal/slots"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is made-up traffic that is counted as an edge counts it.
type world struct {
	users    int
	rate     float64       // requests per second of both arms together
	burst    int           // requests of one user at once; 0 is 1
	baseline time.Duration // 0: 60 s
	// share of failures of a user in an arm, so many seconds after the injection
	// (negative: before).
	fails func(r *rand.Rand, user int, e bool, at float64) float64
	// took is the latency of an answer; nil: none is counted.
	took   func(r *rand.Rand, user int, e bool, at float64) float64
	events func(r *rand.Rand, user int, e bool, at float64) bool
	slots  int
}

const look = 500 * time.Millisecond

// trial is a run in a world.
type trial struct {
	world
	r        *rand.Rand
	c        *Comparison
	b        *slots.Book
	rows     []slots.Row
	limits   map[string]Threshold
	counts   []slots.Count
	told     int
	now      time.Time
	injected time.Time
	salt     uint64
}

func (w world) start(t testing.TB, p Plan, seed uint64) *trial {
	t.Helper()
	c, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{world: w, r: rand.New(rand.NewPCG(seed, 77)), c: c, now: begin, limits: map[string]Threshold{}}
	tr.salt = tr.r.Uint64()
	for _, r := range c.rows {
		tr.rows = append(tr.rows, slots.Row{Name: r.name, PerUnit: r.poisson})
		if r.q != 0 {
			tr.rows = append(tr.rows, slots.Row{Name: r.change, Whole: true})
		}
	}
	tr.b, err = slots.NewBook(w.slots, tr.rows, begin)
	if err != nil {
		t.Fatal(err)
	}
	tr.counts = make([]slots.Count, 0, len(tr.rows))
	if tr.baseline == 0 {
		tr.baseline = time.Minute
	}
	return tr
}

// before runs the baseline; thresholds are those of the lognormal's quantiles.
func (tr *trial) before(t testing.TB, limits map[string]Threshold) {
	t.Helper()
	tr.limits = limits
	for name, l := range limits {
		if err := tr.c.Fix(name, l); err != nil {
			t.Fatal(err)
		}
	}
	for tr.now.Before(begin.Add(tr.baseline)) {
		tr.step(t)
	}
	tr.injected = tr.b.Inject(tr.now)
	if err := tr.c.Begin(tr.now); err != nil {
		t.Fatal(err)
	}
}

// step is the traffic of one look, and what is then known.
func (tr *trial) step(t testing.TB) {
	t.Helper()
	mean := tr.rate * look.Seconds() / float64(max(tr.burst, 1))
	for range poisson(tr.r, mean) {
		came := tr.now.Add(time.Duration(tr.r.Float64() * float64(look)))
		user := tr.r.IntN(tr.users)
		for range max(tr.burst, 1) {
			tr.request(user, came)
		}
	}
	tr.now = tr.now.Add(look)
	tr.b.Close(tr.now)
	s := tr.b.Snapshot(tr.told)
	tr.told += len(s.Trials)
	if err := tr.c.Take("", s); err != nil {
		t.Fatal(err)
	}
}

func hash(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (tr *trial) request(user int, came time.Time) {
	id := hash(tr.salt + uint64(user)*0x9e3779b97f4a7c15)
	e := id&1 == 1
	p := slots.PlaceOf(slots.Arm(id&1), id, max(tr.slots, slots.Slots*boolInt(tr.slots == 0)))
	at := -1.0
	if !tr.injected.IsZero() {
		at = came.Sub(tr.injected).Seconds()
	}
	failed := tr.fails != nil && tr.r.Float64() < tr.fails(tr.r, user, e, at)
	took := 0.0
	if tr.took != nil && !failed {
		took = tr.took(tr.r, user, e, at)
	}
	tr.counts = tr.counts[:0]
	for i, row := range tr.rows {
		c := slots.Count{Row: i, N: 1}
		l, slow := tr.limits[row.Name]
		change := false
		if n := len(row.Name) - len(slots.Changed); !slow && n > 0 {
			l, change = tr.limits[row.Name[:n]]
		}
		switch {
		case row.PerUnit:
			if tr.events != nil && tr.events(tr.r, user, e, at) {
				c.Y = 1
			}
		case slow || change:
			if failed {
				continue
			}
			limit := l.Usual
			if at >= 0 && (e || change) {
				limit = l.Slow
			}
			c.Y = uint32(boolInt(took > limit))
		default:
			c.Y = uint32(boolInt(failed))
		}
		tr.counts = append(tr.counts, c)
	}
	tr.b.Add(p, came, tr.counts...)
	tr.b.Trial(p, came, failed)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, p, floor := 0, r.Float64(), math.Exp(-mean)
	for ; p > floor; n++ {
		p *= r.Float64()
	}
	return n
}

// run goes on until it is decided, and says after how long.
func (tr *trial) run(t testing.TB, limits map[string]Threshold) (Status, time.Duration) {
	t.Helper()
	tr.before(t, limits)
	for {
		tr.step(t)
		if tr.c.Look(tr.now).Outcome != Continue {
			return tr.c.Status(tr.now), tr.now.Sub(tr.injected)
		}
	}
}

// limitsOf are thresholds of lognormal latencies about a median, at a margin of a
// fifth.
func limitsOf(median, sigma float64, metric string) map[string]Threshold {
	all := map[string]Threshold{}
	for q, z := range map[float64]float64{0.5: 0, 0.9: 1.2816, 0.99: 2.3263, 0.999: 3.0902} {
		x := median * math.Exp(sigma*z)
		all[RowName(metric, q)] = Threshold{Usual: x, Slow: 1.2 * x, Between: normalCDF(z+math.Log(1.2)/sigma) - normalCDF(z)}
	}
	return all
}

func lognormal(median, sigma float64) func(*rand.Rand, int, bool, float64) float64 {
	return func(r *rand.Rand, _ int, _ bool, _ float64) float64 { return median * math.Exp(sigma*r.NormFloat64()) }
}

func success(margin float64) Metric {
	return Metric{Name: "success-rate", Kind: SuccessRate, Harm: Decrease, Margin: Margin{Difference: margin}}
}

func latency() Metric {
	return Metric{Name: "latency", Kind: Latency, Harm: Increase, Margin: Margin{Ratio: 1.2}}
}
