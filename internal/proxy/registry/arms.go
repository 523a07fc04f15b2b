package registry

import (
	"net/http"
	"slices"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

// checkArms says why arms cannot be injected: a proxy has those of one run at a time.
func (r *Registry) checkArms(f fault.Fault) error {
	if _, ok := f.Effect.(fault.Arms); !ok {
		return nil
	}
	for _, other := range slices.Clone(r.force[f.Proxy]) {
		if _, ok := other.Effect.(fault.Arms); ok && other.ID != f.ID && r.find(other.ID).state == InForce {
			return fault.Refused(http.StatusConflict, "wait until that run is over, or take another proxy",
				"proxy %q assigns the arms of run %q already", f.Proxy, other.Run)
		}
	}
	return nil
}

// checkChange says why a run cannot change its fault into another.
func checkChange(old, next fault.Fault) error {
	if err := old.CanBecome(next); err != nil {
		return fault.Refused(http.StatusConflict, "let a new run begin", "%w", err)
	}
	return nil
}

// countersOf makes what counts a new fault. The buckets of arms that were on the proxy before are given up.
func (r *Registry) countersOf(f fault.Fault) *Counters {
	arms, ok := f.Effect.(fault.Arms)
	if !ok {
		return new(Counters)
	}
	for _, a := range r.known {
		if a.Proxy == f.Proxy {
			a.Counters.book = nil
		}
	}
	return &Counters{book: newArmsBook(arms, time.Now())}
}

// book gives a fault of that kind, and what it has counted.
func (r *Registry) book(id string) (a *Active, arms fault.Arms, book *armsBook, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a = r.find(id); a == nil {
		return nil, fault.Arms{}, nil, unknown(id)
	}
	arms, ok := a.Effect.(fault.Arms)
	switch {
	case !ok:
		err = fault.Refused(http.StatusUnprocessableEntity, "ask for a fault of kind arms", "fault %q assigns no arms", id)
	case a.Counters.book == nil:
		err = fault.Refused(http.StatusGone, "", "the buckets of fault %q are gone: other arms have begun on the proxy", id)
	}
	return a, arms, a.Counters.book, err
}

// Arms gives the report of a fault of that kind.
func (r *Registry) Arms(id string, after uint64, trials int) (ArmsReport, error) {
	a, arms, book, err := r.book(id)
	if err != nil {
		return ArmsReport{}, err
	}
	report := book.report(after, trials, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	report.Fault, report.Run, report.Proxy, report.State = a.ID, a.Run, a.Proxy, a.state
	report.Key, report.Share = arms.Key, a.Share
	return report, nil
}

// bookOf is book for a change that a run makes of its own arms.
func (r *Registry) bookOf(id, run string) (*armsBook, error) {
	a, _, book, err := r.book(id)
	if err == nil && a.Run != run {
		err = fault.Refused(http.StatusConflict, "a run changes its own arms alone", "fault %q belongs to run %q", id, a.Run)
	}
	return book, err
}

// Limits are the thresholds of the rows of arms, told by their run.
type Limits struct {
	Run        string      `json:"run"`
	Thresholds []Threshold `json:"thresholds"`
}

// Injecting is when a run injects its faults.
type Injecting struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

// Limit tells arms their thresholds.
func (r *Registry) Limit(id string, told Limits) error {
	book, err := r.bookOf(id, told.Run)
	if err != nil {
		return err
	}
	return book.limit(told.Thresholds)
}

// Inject tells arms when their run's faults go in, and gives the time that they go by.
func (r *Registry) Inject(id string, told Injecting) (time.Time, error) {
	book, err := r.bookOf(id, told.Run)
	switch {
	case err != nil:
		return time.Time{}, err
	case told.At.IsZero():
		return time.Time{}, fault.Refused(http.StatusBadRequest, "give the time, such as 2026-01-02T03:04:05.678Z", "at is missing")
	}
	return book.inject(told.At, time.Now())
}

// Meet tells arms which of their requests met the fault.
func (r *Registry) Meet(id string, told Meeting) (Joined, error) {
	book, err := r.bookOf(id, told.Run)
	if err != nil {
		return Joined{}, err
	}
	return book.meet(told, time.Now())
}

// Rule is what the fault makes of requests; that of arms has the book that counts them.
func (a *Active) Rule() (forward.Rule, error) {
	rule, err := a.Fault.Rule()
	if rule.Arms != nil {
		rule.Arms.Book, rule.Arms.IDs = a.Counters.book, a.Counters.book.ids()
	}
	return rule, err
}
