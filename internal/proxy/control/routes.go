package control

import (
	"net/http"

	"mishap/internal/proxy/fault"
)

func (a *API) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/proxies", answer(func(r *http.Request) (int, any, error) {
		return http.StatusOK, a.Before.proxies(r.Context(), a.Proxies()), nil
	}))
	mux.HandleFunc("GET /v1/faults", answer(func(r *http.Request) (int, any, error) {
		all, err := a.Before.list(r.Context(), a.Faults.List())
		return http.StatusOK, all, err
	}))
	mux.HandleFunc("GET /v1/faults/{id}", answer(func(r *http.Request) (int, any, error) {
		status, err := a.Faults.Get(r.PathValue("id"))
		if err == nil {
			status, err = a.Before.get(r.Context(), status)
		}
		return http.StatusOK, status, err
	}))
	mux.HandleFunc("GET /v1/faults/{id}/arms", answer(a.handleArms))
	mux.HandleFunc("PUT /v1/faults/{id}/thresholds", answer(a.handleThresholds))
	mux.HandleFunc("PUT /v1/faults/{id}/injecting", answer(a.handleInjecting))
	mux.HandleFunc("POST /v1/faults/{id}/met", answer(a.handleMeeting))
	mux.HandleFunc("PUT /v1/faults/{id}", answer(a.handlePut))
	mux.HandleFunc("POST /v1/faults/{id}/renew", answer(a.handleRenew))
	mux.HandleFunc("DELETE /v1/faults/{id}", answer(func(r *http.Request) (int, any, error) {
		status, err := a.Faults.Remove(r.PathValue("id"), r.URL.Query().Get("run"))
		if err == nil {
			status, err = a.Before.remove(r.Context(), r.PathValue("id"), status)
		}
		return http.StatusOK, status, err
	}))
	mux.HandleFunc("POST /v1/proxies/{name}/callers", answer(a.handleCallers))
	mux.HandleFunc("POST /v1/proxies/{name}/met", answer(a.handleMet))
	mux.HandleFunc("PUT /v1/proxies/{name}/owner", answer(a.handleOwn))
	mux.HandleFunc("DELETE /v1/proxies/{name}/owner", answer(a.handleDisown))
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("/", answer(func(r *http.Request) (int, any, error) {
		return 0, nil, fault.Refused(http.StatusNotFound, "the calls are GET /v1/proxies, GET /v1/faults, "+
			"GET, PUT and DELETE /v1/faults/{id}, POST /v1/faults/{id}/renew, GET /v1/faults/{id}/arms, PUT /v1/faults/{id}/thresholds and /injecting, POST /v1/faults/{id}/met, POST /v1/proxies/{name}/callers and /met, PUT and DELETE /v1/proxies/{name}/owner, and GET /metrics",
			"there is no call %s %s", r.Method, r.URL.Path)
	}))
	return mux
}
