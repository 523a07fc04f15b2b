package member

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/runner"
)

// desk takes what stops runs of this process: other processes over its socket,
// and halt. One watcher serves all runs.
type desk struct {
	mu   sync.Mutex
	runs map[string]chan runner.Stop
	at   map[string]mishap.State // how far each of them is, as it says itself
	on   map[string]int          // runs that somebody here is on, from before they begin, and how many are
	went chan struct{}           // closed when one of them gets further or ends; nil: nobody waits for that
	end  func()                  // closes socket and watcher; nil while there are none

	halting sync.Mutex // held by who asks the ledger for a brake
}

// Listen gathers what may stop a run: its caller, other processes, and halt.
func (m *Member) Listen(ctx context.Context, lease ledger.Lease, own <-chan runner.Stop) (<-chan runner.Stop, func(), error) {
	if err := m.TakeStops(lease.Server); err != nil {
		return nil, nil, err
	}
	stops := make(chan runner.Stop, 4)
	m.desk.mu.Lock()
	m.desk.runs[lease.Run] = stops
	m.desk.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		for {
			select {
			case s := <-own:
				Offer(stops, s)
			case <-ctx.Done():
				return
			}
		}
	}()
	return stops, func() {
		cancel()
		m.desk.mu.Lock()
		defer m.desk.mu.Unlock()
		delete(m.desk.runs, lease.Run)
		delete(m.desk.at, lease.Run)
		m.desk.tell()
	}, nil
}

// TakeStops opens socket and watcher, once.
func (m *Member) TakeStops(server string) error {
	m.desk.mu.Lock()
	defer m.desk.mu.Unlock()
	if m.desk.end != nil {
		return nil
	}
	closeSocket, err := listenStops(context.Background(), socketPath(m.state, server), &m.desk)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go m.watchHalt(ctx)
	m.desk.runs, m.desk.at = map[string]chan runner.Stop{}, map[string]mishap.State{}
	m.desk.end = func() { cancel(); closeSocket() }
	return nil
}

// close ends socket and watcher.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.end != nil {
		d.end()
		d.end = nil
	}
}

// attend says that somebody here is on a run, until the function is called. Two
// may be on one: who asks for a run that goes on already leaves the other there.
func (d *desk) attend(run string) func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.on == nil {
		d.on = map[string]int{}
	}
	d.on[run]++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.on[run]--; d.on[run] == 0 {
			delete(d.on, run)
		}
	})
}

// attended reports whether somebody here is on a run.
func (d *desk) attended(run string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on[run] > 0
}

// stop asks one run to end; false if it is not here.
func (d *desk) stop(run string, s runner.Stop) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	stops, here := d.runs[run]
	if here {
		Offer(stops, s)
	}
	return here
}

// tell wakes who waits for a run to get further.
func (d *desk) tell() {
	if d.went != nil {
		close(d.went)
		d.went = nil
	}
}

// begun waits until a run here has begun to revert or is over; false if the
// context ends before.
func (d *desk) begun(ctx context.Context, run string) bool {
	for {
		d.mu.Lock()
		_, here := d.runs[run]
		if !here || begunToRevert(d.at[run]) {
			d.mu.Unlock()
			return true
		}
		if d.went == nil {
			d.went = make(chan struct{})
		}
		went := d.went
		d.mu.Unlock()
		select {
		case <-went:
		case <-ctx.Done():
			return false
		}
	}
}

// stopAll asks every run here to end, and says how many there are.
func (d *desk) stopAll(s runner.Stop) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stops := range d.runs {
		Offer(stops, s)
	}
	return len(d.runs)
}

// stopUnderWay asks every run here to end that has not begun to revert.
func (d *desk) stopUnderWay(s runner.Stop) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for run, stops := range d.runs {
		if !begunToRevert(d.at[run]) {
			Offer(stops, s)
		}
	}
}

// watch keeps how far a run here is, and tells seen, which may be nil.
func (d *desk) watch(seen func(mishap.Entry, *mishap.Run)) func(mishap.Entry, *mishap.Run) {
	return func(e mishap.Entry, r *mishap.Run) {
		d.mu.Lock()
		if _, here := d.runs[r.ID]; here {
			d.at[r.ID] = r.State
			d.tell()
		}
		d.mu.Unlock()
		if seen != nil {
			seen(e, r)
		}
	}
}

// going lists the runs here and how far they are.
func (d *desk) going() []Going {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []Going
	for run := range d.runs {
		all = append(all, Going{run, d.at[run]})
	}
	slices.SortFunc(all, func(x, y Going) int { return strings.Compare(x.Run, y.Run) })
	return all
}

// here lists the runs that go on in this process.
func (d *desk) here() map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]bool{}
	for run := range d.runs {
		all[run] = true
	}
	return all
}

// passStops hands on what was asked for in a ledger that servers share.
func (m *Member) passStops(ctx context.Context) {
	if !ledger.IsPostgres(m.address) {
		return
	}
	m.mu.Lock()
	book, server := m.book, m.server
	m.mu.Unlock()
	asked, err := book.Stops(ctx, server)
	if err != nil {
		m.log.Warn("look for runs to stop", "error", err)
	}
	for _, r := range asked {
		m.desk.stop(r.Run, runner.Stop{Cause: mishap.CauseAbort, Reason: "aborted by " + r.By + because(r.Reason), By: r.By})
	}
}

// Offer hands a stop over, unless the run is being stopped already.
func Offer(stops chan<- runner.Stop, s runner.Stop) {
	select {
	case stops <- s:
	default:
	}
}

// watchHalt stops every run when somebody halts everything. That the ledger
// cannot be asked is the safeguard's to say.
func (m *Member) watchHalt(ctx context.Context) {
	tick := time.NewTicker(haltEvery)
	defer tick.Stop()
	told := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		here := m.desk.here()
		if len(here) == 0 {
			continue
		}
		h, err := m.Halted(ctx)
		if err != nil || h == nil {
			clear(told)
			m.passStops(ctx)
			continue
		}
		for run := range here {
			if !told[run] {
				m.desk.stop(run, halted(h))
				told[run] = true
			}
		}
	}
}

func halted(h *ledger.Halt) runner.Stop {
	return runner.Stop{Cause: mishap.CauseHalt, Reason: h.String(), By: h.By}
}
