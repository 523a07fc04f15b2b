package proxy

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"mishap/internal/proxy/fault"
)

// checkArms says why arms cannot be put in: a proxy has those of one run at a time.
func (r *registry) checkArms(f fault.Fault) error {
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
func (r *registry) countersOf(f fault.Fault) *counters {
	arms, ok := f.Effect.(fault.Arms)
	if !ok {
		return new(counters)
	}
	for _, a := range r.known {
		if a.Proxy == f.Proxy {
			a.counters.book = nil
		}
	}
	return &counters{book: newArmsBook(arms, time.Now())}
}

// book gives a fault of that kind, and what it has counted.
func (r *registry) book(id string) (a *active, arms fault.Arms, book *armsBook, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a = r.find(id); a == nil {
		return nil, fault.Arms{}, nil, unknown(id)
	}
	arms, ok := a.Effect.(fault.Arms)
	switch {
	case !ok:
		err = fault.Refused(http.StatusUnprocessableEntity, "ask for a fault of kind arms", "fault %q assigns no arms", id)
	case a.counters.book == nil:
		err = fault.Refused(http.StatusGone, "", "the buckets of fault %q are gone: other arms have begun on the proxy", id)
	}
	return a, arms, a.counters.book, err
}

// arms gives the report of a fault of that kind.
func (r *registry) arms(id string, after uint64, trials int) (ArmsReport, error) {
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
func (r *registry) bookOf(id, run string) (*armsBook, error) {
	a, _, book, err := r.book(id)
	if err == nil && a.Run != run {
		err = fault.Refused(http.StatusConflict, "a run changes its own arms alone", "fault %q belongs to run %q", id, a.Run)
	}
	return book, err
}

func (s *server) handleArms(r *http.Request) (int, any, error) {
	after, err := number(r, "after", "give the seq of the last bucket that you have")
	if err != nil {
		return 0, nil, err
	}
	trials, err := number(r, "trials", "give how many first requests of units you have")
	if err != nil {
		return 0, nil, err
	}
	report, err := s.faults.arms(r.PathValue("id"), after, int(min(trials, math.MaxInt32)))
	return http.StatusOK, report, err
}

// number reads a parameter; 0 if it is not there.
func number(r *http.Request, name, hint string) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fault.Refused(http.StatusBadRequest, hint, "%s %q is not a number", name, text)
	}
	return n, nil
}

// Limits are the thresholds of the rows of arms, told by their run.
type Limits struct {
	Run        string      `json:"run"`
	Thresholds []Threshold `json:"thresholds"`
}

// Injecting is when a run puts its faults in.
type Injecting struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

func (s *server) handleThresholds(r *http.Request) (int, any, error) {
	var body Limits
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	book, err := s.faults.bookOf(r.PathValue("id"), body.Run)
	if err == nil {
		err = book.limit(body.Thresholds)
	}
	return http.StatusOK, body, err
}

func (s *server) handleInjecting(r *http.Request) (int, any, error) {
	var body Injecting
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	book, err := s.faults.bookOf(r.PathValue("id"), body.Run)
	if err == nil && body.At.IsZero() {
		err = fault.Refused(http.StatusBadRequest, "give the time, such as 2026-01-02T03:04:05.678Z", "at is missing")
	}
	if err == nil {
		body.At, err = book.inject(body.At, time.Now())
	}
	return http.StatusOK, body, err
}
