package attempts

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

const (
	keptMet       = 1 << 16 // ids of one watch: 1.3 MiB
	maxMetWatches = 16      // of one proxy; those of runs that are over go on for a while
	maxMetFaults  = 32      // of one watch
)

// MetWatch asks a proxy which requests of both arms of a run met its faults, or would have: of control, and of both before
// the faults are in force.
type MetWatch struct {
	Run string `json:"run"`
	// Faults are those of the run on the proxy. What they do does not matter, only which requests they hit.
	Faults []fault.Fault  `json:"faults"`
	After  uint64         `json:"after,omitempty"` // ids that are known already
	Keep   fault.Duration `json:"keep"`            // how long the watch goes on, if nobody asks again
}

// Met is what such a watch has seen.
type Met struct {
	Proxy string    `json:"proxy"`
	Since time.Time `json:"since"`          // when the watch began; another one means that what came between is not known
	Seq   uint64    `json:"seq"`            // ask for what comes after it
	IDs   []string  `json:"ids"`            // of the requests, as their edge gave them; one that calls twice is here twice. Before one that came while no fault was in force is fault.Early
	More  bool      `json:"more"`           // there are others: ask again at once
	Lost  uint64    `json:"lost"`           // so far: ids that came too fast to be kept
	NoID  uint64    `json:"noID"`           // so far: requests of an arm that had no id, or several, though they met the fault
	Other uint64    `json:"other"`          // so far: requests that would have met it, and are in no arm of the run
	Left  int       `json:"left,omitempty"` // connections in the process before a restart, which are not watched
}

// MetWatches are those of one proxy.
type MetWatches struct {
	board *forward.Board

	mu   sync.Mutex // of who watches
	over bool
	all  []*metWatch
}

// NewMetWatches makes those of the proxy whose faults are on the board.
func NewMetWatches(board *forward.Board) *MetWatches { return &MetWatches{board: board} }

// metWatch is one watch.
type metWatch struct {
	ask   MetWatch // but for After and Keep
	since time.Time
	rules []*forward.Fault
	end   *time.Timer

	mu          sync.Mutex
	ring        []metID
	seq, lost   uint64
	noID, other uint64
}

// metID is an id as it is kept, with zeros behind it.
type metID [len(fault.Early) + forward.MaxID]byte

// Watch begins a watch, or goes on with it, and gives what it has seen.
func (m *MetWatches) Watch(ask MetWatch) (Met, error) {
	if err := ask.check(); err != nil {
		return Met{}, err
	}
	w, err := m.begin(ask)
	if err != nil {
		return Met{}, err
	}
	return w.after(ask.After), nil
}

func (a MetWatch) check() error {
	var errs fault.Problems
	errs.Add(!fault.ValidName(a.Run), "run %q must be 1 to %d letters, digits, or any of . _ : -", a.Run, fault.MaxName)
	errs.Add(a.Keep <= 0 || a.Keep > longestWatch, "keep must be above 0 and at most %s", time.Duration(longestWatch))
	errs.Add(len(a.Faults) == 0 || len(a.Faults) > maxMetFaults, "there must be from 1 to %d faults", maxMetFaults)
	for _, f := range a.Faults {
		if _, err := f.WatchRule(a.Run); err != nil {
			errs.Add(true, "%w", err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fault.Refused(http.StatusBadRequest, "", "%w", err)
	}
	return nil
}

// begin finds the watch of the run, or begins it, and lets it go on.
func (m *MetWatches) begin(ask MetWatch) (*metWatch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keep := time.Duration(ask.Keep)
	ask.After, ask.Keep = 0, 0
	for _, w := range m.all {
		if w.ask.Run != ask.Run {
			continue
		}
		if !reflect.DeepEqual(w.ask, ask) {
			return nil, fault.Refused(http.StatusConflict, "let a new run begin", "run %q watches by other faults", ask.Run)
		}
		w.end.Reset(keep)
		return w, nil
	}
	if len(m.all) == maxMetWatches || m.over {
		return nil, fault.Refused(http.StatusConflict, "wait until one has ended", "%d other runs watch already", len(m.all))
	}
	w := &metWatch{ask: ask, since: time.Now()}
	for _, f := range ask.Faults {
		rule, _ := f.WatchRule(ask.Run) // it is checked
		rule.Watch = &forward.Watch{Run: ask.Run, Met: w.met, Others: w.others}
		one, err := forward.NewFault(rule)
		if err != nil {
			return nil, fault.Refused(http.StatusBadRequest, "", "%w", err)
		}
		w.rules = append(w.rules, one)
	}
	for _, one := range w.rules {
		m.board.Put(one)
	}
	w.end = time.AfterFunc(keep, func() { m.end(w) })
	m.all = append(m.all, w)
	return w, nil
}

// end forgets a watch and what it has seen.
func (m *MetWatches) end(w *metWatch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.all {
		if other == w {
			m.all = append(m.all[:i:i], m.all[i+1:]...)
		}
	}
	for _, one := range w.rules {
		m.board.Remove(one)
	}
}

// Close ends all watches, for good.
func (m *MetWatches) Close() {
	m.mu.Lock()
	m.over = true
	all := m.all
	m.mu.Unlock()
	for _, w := range all {
		w.end.Stop()
		m.end(w)
	}
}

// met keeps the id of a request. What is no id of any edge is kept from nobody: it is a request without one.
func (w *metWatch) met(id string, inForce bool) {
	var kept metID
	w.mu.Lock()
	defer w.mu.Unlock()
	if id == "" || len(id) > forward.MaxID || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz.") != "" {
		w.noID++
		return
	}
	if !inForce {
		id = fault.Early + id
	}
	copy(kept[:], id)
	if len(w.ring) < keptMet {
		w.ring = append(w.ring, kept)
	} else {
		w.ring[w.seq%keptMet] = kept
	}
	w.seq++
}

func (w *metWatch) others() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.other++
}

// after is what came after an id that is known.
func (w *metWatch) after(seq uint64) Met {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seq > w.seq {
		seq = 0 // of another watch
	}
	if w.seq > seq+keptMet {
		w.lost += w.seq - keptMet - seq
		seq = w.seq - keptMet
	}
	last := min(w.seq, seq+fault.MaxMeeting)
	out := Met{Since: w.since, Seq: last, IDs: []string{}, More: last < w.seq, Lost: w.lost, NoID: w.noID, Other: w.other}
	for n := seq; n < last; n++ {
		id := w.ring[n%keptMet]
		out.IDs = append(out.IDs, strings.TrimRight(string(id[:]), "\x00"))
	}
	return out
}
