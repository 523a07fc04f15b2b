package aws_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
	"mishap/internal/vault"
)

// drawn is what a random trial is made of. All follows from its seed but the order
// in which what happens side by side does.
type drawn struct {
	seed   uint64
	faults []string // each in a region of its own
	pick   bool     // one target of each
	slow   bool     // an AWS that is as slow and stale as EC2, or at once
	long   time.Duration

	noise      float64       // how many of the calls go wrong
	noisy      time.Duration // for how long, from when the run begins or the first fault is asked for
	noisyLate  bool
	cutAt, cut time.Duration // when the machine is cut off from AWS, and for how long

	dies         string // "server", "keeper", "both" or nobody
	during       mishap.State
	call         int // that it dies before or after, from that state on
	noLedger     bool
	noState      bool
	back         time.Duration // when somebody takes over
	swept        bool          // another machine sweeps all the time
	others       string        // what somebody else does to the first fault's targets while it is in: "edit", "remove" or nothing
	afterHolding time.Duration
	rival        bool // a run of another ledger wants the first fault's targets too
	rivalAt      time.Duration
	rivalFor     time.Duration
}

func draw(seed uint64) (d drawn) {
	r := rand.New(rand.NewPCG(seed, 17))
	one := func(of int) bool { return r.IntN(of) == 0 }
	upTo := func(d time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(d))).Truncate(time.Millisecond)
	}
	names := slices.Sorted(maps.Keys(trials()))
	d = drawn{seed: seed, slow: one(2), pick: one(3), swept: one(3), long: []time.Duration{5 * time.Second, time.Minute, 3 * time.Minute}[r.IntN(3)]}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	d.faults = names[:1+r.IntN(2)]
	if one(2) {
		d.noise, d.noisy, d.noisyLate = r.Float64()*r.Float64()/2, upTo(6*time.Minute), !one(3)
	}
	if one(5) {
		d.cutAt, d.cut = upTo(2*time.Minute), upTo(5*time.Minute)
	}
	if !one(4) {
		d.dies = []string{"server", "keeper", "both", "both"}[r.IntN(4)]
		d.during = []mishap.State{mishap.Checking, mishap.Injecting, mishap.Injecting, mishap.Holding, mishap.Reverting, mishap.Reverting, mishap.Verifying}[r.IntN(7)]
		d.call = 1 + r.IntN(40)
	}
	d.noLedger, d.noState, d.back = one(3), one(10), upTo(4*time.Minute)
	if one(3) {
		d.others, d.afterHolding, d.long = []string{"edit", "edit", "remove"}[r.IntN(3)], upTo(10*time.Second), 3*time.Minute
	}
	if d.others == "" && one(2) {
		d.rival, d.rivalAt, d.rivalFor = true, upTo(3*time.Minute), time.Minute+upTo(7*time.Minute)
		if one(2) { // others sweep what the machine, cut off, still takes for its own
			d.swept, d.cutAt, d.cut = true, upTo(time.Minute), 3*time.Minute+upTo(4*time.Minute)
		}
	}
	return d
}

// astray is a run that much may go wrong with.
type astray struct {
	*testing.T
	drawn
	cloud    *awsfake.Cloud
	account  string
	settings awsfake.Settings
	machine  *machine
	began    time.Time

	mu        sync.Mutex
	state     mishap.State
	reached   bool // the state in which somebody is to die
	calls     int
	undying   time.Time // nobody dies before
	struck    bool
	inForce   bool
	injecting time.Time
	holding   time.Time
	drifted   bool
	rivalHeld bool
}

func (a *astray) place(n int) awsfake.Place {
	return awsfake.Place{Account: a.account, Region: []string{"eu-west-1", "us-east-1"}[n]}
}

// placed are the places of AWS as a process reaches them.
func (a *astray) placed(p *process) func(cloud.At) cloud.Place {
	return func(at cloud.At) cloud.Place {
		at.Account = a.account
		config := a.cloud.Config(p.key, at.Region)
		config.HTTPClient = p
		return cloud.Place{At: at, Config: p.cloud.Calls(config, at.Account), Caller: "arn:aws:iam::" + a.account + ":user/admin"}
	}
}

// process makes one that is of the machine, and may die, or another.
func (a *astray) process(name string, mortal bool) *process {
	p := &process{cloud: cloud.New(), next: a.cloud, key: a.cloud.Key(a.account, "user/"+name)}
	p.meet = func() error {
		if mortal {
			a.strike()
		}
		if p.dead.Load() {
			return errDead
		}
		return nil
	}
	p.cut = func() bool {
		since := time.Since(a.began)
		return mortal && a.cut > 0 && since >= a.cutAt && since < a.cutAt+a.cut
	}
	return p
}

func (a *astray) vaults(p *process, by string) *vault.Vaults {
	place := a.placed(p)
	return &vault.Vaults{By: by, Log: quiet(), Open: func(_ context.Context, where mishap.Place) (vault.Store, error) {
		return place(cloud.At{Account: where.Account, Region: where.Region}).Parameters("/mishap", ""), nil
	}}
}

func (a *astray) restore(p *process) func(mishap.Injection) (mishap.Injector, error) {
	deps := p.deps(a.placed(p))
	return func(in mishap.Injection) (mishap.Injector, error) { return kind(deps, in.Injector).Restore(in) }
}

func (a *astray) places() (all []mishap.Place) {
	for n := range 2 {
		all = append(all, mishap.Place{Account: a.account, Region: a.place(n).Region})
	}
	return all
}

// put makes the world, and says what the faults are.
func (a *astray) put(c *awsfake.Cloud) (faults []mishap.Fault) {
	for n, name := range a.faults {
		targets, with := trials()[name].put(c, c.Enter(a.place(n)))
		targets = strings.Replace(targets, "{", fmt.Sprintf(`{"account": %q, "region": %q, `, a.account, a.place(n).Region), 1)
		if a.pick {
			targets = strings.Replace(targets, "{", fmt.Sprintf(`{"pick": 1, "seed": %d, `, a.seed), 1)
		}
		f := fault(name, targets, nil)
		if f.Name, f.For = fmt.Sprint("fault ", n), mishap.Duration(a.long); with != "" {
			f.With = raw(strings.ReplaceAll(with, here.Region, a.place(n).Region)) // zones are of a region
		}
		faults = append(faults, f)
	}
	return faults
}

// strike is at each call of the machine's processes: somebody may die there.
func (a *astray) strike() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dies == "" || a.struck || !a.reached || time.Now().Before(a.undying) {
		return
	}
	if a.calls++; a.calls < a.call {
		return
	}
	a.struck = true
	if a.noState {
		_ = os.RemoveAll(undoIn(a.machine.state))
	}
	a.machine.kill(a.dies != "keeper", a.dies != "server", a.TempDir())
}

// seen follows the run.
func (a *astray) seen(_ mishap.Entry, run *mishap.Run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = run.State
	a.reached = a.reached || run.State == a.during
	if run.State == mishap.Injecting && a.injecting.IsZero() {
		a.injecting = time.Now()
	}
	if run.State == mishap.Holding && a.holding.IsZero() {
		a.holding, a.inForce = time.Now(), true
	}
}

// noisyNow reports whether calls may go wrong now.
func (a *astray) noisyNow() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	from := a.began
	if a.noisyLate {
		from = a.injecting
	}
	return a.noise > 0 && !from.IsZero() && time.Since(from) < a.noisy
}

// goesWrong is what becomes of a call. It follows from the seed and the number of
// the call among those of its action.
func (a *astray) goesWrong() func(awsfake.Call) awsfake.Fate {
	kinds := fates()
	names := slices.Sorted(maps.Keys(kinds))
	var mu sync.Mutex
	made := map[string]int{}
	return func(c awsfake.Call) awsfake.Fate {
		if !a.noisyNow() {
			return awsfake.Fate{}
		}
		mu.Lock()
		made[c.Region+c.Action]++
		n := made[c.Region+c.Action]
		mu.Unlock()
		h := fnv.New64a()
		fmt.Fprint(h, a.seed, c.Region, c.Action, n)
		if r := rand.New(rand.NewPCG(h.Sum64(), 1)); r.Float64() < a.noise {
			what := names[r.IntN(len(names))]
			if strings.HasPrefix(c.Action, "ssm:") && what == "a call that was refused" {
				return awsfake.Fate{} // whose vault may not be read at times cannot know whose a thing is
			}
			return kinds[what]
		}
		return awsfake.Fate{}
	}
}

// tally counts what the trials were.
type tally struct {
	mu   sync.Mutex
	kind map[string]int
}

func (t *tally) count(a *astray) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kind["trials"]++
	for what, is := range map[string]bool{
		"in force": a.inForce, "died": a.struck, "with the ledger lost": a.struck && a.noLedger, "with the state directory lost": a.struck && a.noState,
		"cut off": a.cut > 0, "calls went wrong": a.noise > 0, "changed by others meanwhile": a.drifted, "swept all the time": a.swept, "run beside it": a.rival, "run beside it injected": a.rivalHeld,
	} {
		if is {
			t.kind[what]++
		}
	}
}

// TestWhateverGoesWrongAtRandomNothingIsLeftBehind runs MISHAP_TRIALS trials, from
// MISHAP_SEED on, each on time of its own.
func TestWhateverGoesWrongAtRandomNothingIsLeftBehind(t *testing.T) {
	n, seed := number("MISHAP_TRIALS", 60), uint64(number("MISHAP_SEED", int(time.Now().UnixNano()/1e6)))
	counted := &tally{kind: map[string]int{}}
	var next atomic.Int64
	t.Cleanup(func() { t.Logf("from seed %d: %v", seed, counted.kind) })
	for lane := range 2 {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			for i := next.Add(1) - 1; i < int64(n) && !t.Failed(); i = next.Add(1) - 1 {
				one(t, draw(seed+uint64(i)), counted)
			}
		})
	}
}

func number(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// one is one trial. Its account is its own, so that it shares no lock of this machine
// with another.
func one(t *testing.T, d drawn, counted *tally) {
	synctest.Test(t, func(t *testing.T) {
		a := &astray{T: t, drawn: d, account: fmt.Sprintf("%012d", 1e11+rand.Int64N(8e11))}
		if a.slow {
			a.settings = awsfake.Slow()
			for _, name := range d.faults {
				if k := kindOf(name); a.settings.Stale == 0 || k.Settles-2*late < a.settings.Stale {
					a.settings.Stale = max(0, k.Settles-2*late)
				}
			}
		}
		a.cloud = awsfake.New(a.settings)
		row := trials()[d.faults[0]]
		if d.others == "edit" && row.others == nil || d.others == "remove" && row.remove == nil {
			a.others = ""
		}
		a.live()
		a.judged()
		counted.count(a)
		if t.Failed() {
			a.told()
			t.Logf("that was MISHAP_SEED=%d MISHAP_TRIALS=1: %+v", d.seed, d)
		}
	})
}
