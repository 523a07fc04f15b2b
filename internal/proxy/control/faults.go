package control

import (
	"io"
	"mishap/internal/proxy/fault"
	"net/http"
	"time"
)

func (a *API) handlePut(r *http.Request) (int, any, error) {
	f, err := decodeFault(r.PathValue("id"), r.Body)
	if err != nil {
		return 0, nil, err
	}
	status, created, err := a.Faults.Put(f)
	if err == nil {
		status, err = a.Before.put(r.Context(), f, status)
	}
	if created {
		return http.StatusCreated, status, err
	}
	return http.StatusOK, status, err
}

func (a *API) handleRenew(r *http.Request) (int, any, error) {
	var body renewal
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	status, err := a.Faults.Renew(r.PathValue("id"), time.Duration(body.Expires))
	if err == nil {
		status, err = a.Before.renew(r.Context(), r.PathValue("id"), time.Duration(body.Expires), status)
	}
	return http.StatusOK, status, err
}

// decodeFault reads a fault from a body. Its id may be left out there, but not differ from the path's.
func decodeFault(id string, body io.Reader) (fault.Fault, error) {
	var f fault.Fault
	if err := readBody(body, &f); err != nil {
		return fault.Fault{}, err
	}
	if f.ID == "" {
		f.ID = id
	}
	if f.ID != id {
		return fault.Fault{}, fault.Refused(http.StatusBadRequest, "leave the id out of the body",
			"the body names fault %q, the path %q", f.ID, id)
	}
	return f, nil
}
