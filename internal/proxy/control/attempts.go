package control

import (
	"net/http"

	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

func (a *API) handleCallers(r *http.Request) (int, any, error) {
	var ask attempts.Watch
	if err := readBody(r.Body, &ask); err != nil {
		return 0, nil, err
	}
	name := r.PathValue("name")
	on, err := a.watchable(name, http.StatusNotFound)
	if err != nil {
		return 0, nil, err
	}
	if on.Calls == nil {
		return 0, nil, fault.Refused(http.StatusBadRequest, "watch a proxy of http, or of tcp",
			"proxy %q passes datagrams, of which no caller can be told from another", name)
	}
	w, err := on.Calls.Watch(name, ask)
	w.Protocol = on.Protocol
	return http.StatusOK, w, err
}

// watchable is a proxy of the settings; an error with this status if there is none of the name.
func (a *API) watchable(name string, status int) (attempts.Watchable, error) {
	if on, ok := a.Attempts(name); ok {
		return on, nil
	}
	return attempts.Watchable{}, fault.Refused(status, "GET /v1/proxies lists them; those that came through Toxiproxy's API cannot be watched",
		"there is no proxy %q", name)
}

func (a *API) handleMet(r *http.Request) (int, any, error) {
	var ask attempts.MetWatch
	if err := readBody(r.Body, &ask); err != nil {
		return 0, nil, err
	}
	name := r.PathValue("name")
	on, err := a.watchable(name, http.StatusUnprocessableEntity)
	if err != nil {
		return 0, nil, err
	}
	if on.Met == nil {
		return 0, nil, fault.Refused(http.StatusUnprocessableEntity, "watch a proxy with protocol http", "proxy %q knows no requests", name)
	}
	out, err := on.Met.Watch(ask)
	if err != nil {
		return 0, nil, err
	}
	out.Proxy, out.Left = name, a.Before.proxies(r.Context(), []registry.ProxyStatus{{Name: name}})[0].Left
	return http.StatusOK, out, nil
}

func (a *API) handleMeeting(r *http.Request) (int, any, error) {
	var body registry.Meeting
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	if len(body.Met) > fault.MaxMeeting {
		return 0, nil, fault.Refused(http.StatusBadRequest, "tell them in several calls", "%d requests are told at once, of at most %d", len(body.Met), fault.MaxMeeting)
	}
	joined, err := a.Faults.Meet(r.PathValue("id"), body)
	return http.StatusOK, joined, err
}
