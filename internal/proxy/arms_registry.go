package proxy

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// checkArms says why arms cannot be put in: a proxy has those of one run at a time.
func (r *registry) checkArms(f Fault) error {
	if _, ok := f.Effect.(Arms); !ok {
		return nil
	}
	for _, other := range slices.Clone(r.force[f.Proxy]) {
		if _, ok := other.Effect.(Arms); ok && other.ID != f.ID && r.find(other.ID).state == InForce {
			return refuse(http.StatusConflict, "wait until that run is over, or take another proxy",
				"proxy %q assigns the arms of run %q already", f.Proxy, other.Run)
		}
	}
	return nil
}

// checkChange says why a run cannot change its fault into another.
func checkChange(old, next Fault) error {
	s, ok := old.Effect.(steady)
	if !ok {
		return nil
	}
	if err := s.becomes(old, next); err != nil {
		return refuse(http.StatusConflict, "let a new run begin", "%w", err)
	}
	return nil
}

// countersOf makes what counts a new fault. The buckets of arms that were on the proxy before are given up.
func (r *registry) countersOf(f Fault) *counters {
	arms, ok := f.Effect.(Arms)
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

// arms gives the report of a fault of that kind.
func (r *registry) arms(id string, after uint64) (ArmsReport, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.find(id)
	if a == nil {
		return ArmsReport{}, unknown(id)
	}
	arms, ok := a.Effect.(Arms)
	switch {
	case !ok:
		return ArmsReport{}, refuse(http.StatusUnprocessableEntity, "ask for a fault of kind arms", "fault %q assigns no arms", id)
	case a.counters.book == nil:
		return ArmsReport{}, refuse(http.StatusGone, "", "the buckets of fault %q are gone: other arms have begun on the proxy", id)
	}
	report := a.counters.book.report(after, time.Now())
	report.Fault, report.Run, report.Proxy, report.State = a.ID, a.Run, a.Proxy, a.state
	report.Key, report.Share = arms.Key, a.Share
	return report, nil
}

func (s *server) handleArms(r *http.Request) (int, any, error) {
	after := uint64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 63); err != nil {
			return 0, nil, refuse(http.StatusBadRequest, "give the seq of the last bucket that you have", "after %q is not a number", text)
		}
	}
	report, err := s.faults.arms(r.PathValue("id"), after)
	return http.StatusOK, report, err
}

// hidden stands for a token in what the proxy tells.
const hidden = "hidden"

// withoutTokens is the fault as it is told: the tokens of arms are for those who put them in.
func (f Fault) withoutTokens() Fault {
	if f.Effect == nil {
		return f
	}
	if a, ok := f.Effect.(Arms); ok {
		a.Tokens = ArmTokens{hidden, hidden}
		f.Effect = a
		return f
	}
	effect := reflect.New(reflect.TypeOf(f.Effect)).Elem() // a copy, of whichever kind
	effect.Set(reflect.ValueOf(f.Effect))
	if arm := effect.FieldByName("Arm"); arm.IsValid() && arm.String() != "" { // of Requests, which is a part of it
		arm.SetString(hidden)
		f.Effect, _ = effect.Interface().(Effect)
	}
	return f
}
