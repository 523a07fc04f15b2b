package control

import (
	"math"
	"net/http"
	"strconv"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

func (a *API) handleArms(r *http.Request) (int, any, error) {
	after, err := number(r, "after", "give the seq of the last bucket that you have")
	if err != nil {
		return 0, nil, err
	}
	trials, err := number(r, "trials", "give how many first requests of units you have")
	if err != nil {
		return 0, nil, err
	}
	report, err := a.Faults.Arms(r.PathValue("id"), after, int(min(trials, math.MaxInt32)))
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

func (a *API) handleThresholds(r *http.Request) (int, any, error) {
	var body registry.Limits
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, body, a.Faults.Limit(r.PathValue("id"), body)
}

func (a *API) handleInjecting(r *http.Request) (int, any, error) {
	var body registry.Injecting
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	at, err := a.Faults.Inject(r.PathValue("id"), body)
	if err == nil {
		body.At = at
	}
	return http.StatusOK, body, err
}
