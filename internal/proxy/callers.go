package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// Callers begins a watch of the attempts that come to a proxy, or goes on with it, and gives those after ask.After. It is
// one call, and no GET, because it changes something: nothing is recorded unless it is called, and no longer than ask.Keep
// after the last time.
func (c *Client) Callers(ctx context.Context, name string, ask attempts.Watch) (w attempts.Watched, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/proxies/"+url.PathEscape(name)+"/callers", ask, &w)
	return w, wrap(fmt.Sprintf("watch callers of proxy %q", name), err)
}

func (s *server) handleCallers(r *http.Request) (int, any, error) {
	var ask attempts.Watch
	if err := readBody(r.Body, &ask); err != nil {
		return 0, nil, err
	}
	name := r.PathValue("name")
	on, err := s.watchable(name, http.StatusNotFound)
	if err != nil {
		return 0, nil, err
	}
	var watched *attempts.Recorder
	switch l := on.(type) {
	case *webListener:
		watched = l.calls
	case *listener:
		watched = l.calls
	default:
		return 0, nil, fault.Refused(http.StatusBadRequest, "watch a proxy of http, or of tcp",
			"proxy %q passes datagrams, of which no caller can be told from another", name)
	}
	w, err := watched.Watch(name, ask)
	w.Protocol = on.status().Protocol
	return http.StatusOK, w, err
}

// watchable is the listener of a proxy of the settings; an error with this status if
// there is none of the name.
func (s *server) watchable(name string, status int) (front, error) {
	for i, config := range s.configs {
		if config.Name == name {
			return s.listeners[i], nil
		}
	}
	return nil, fault.Refused(status, "GET /v1/proxies lists them; those that came through Toxiproxy's API cannot be watched",
		"there is no proxy %q", name)
}

func (s *server) handleMet(r *http.Request) (int, any, error) {
	var ask attempts.MetWatch
	if err := readBody(r.Body, &ask); err != nil {
		return 0, nil, err
	}
	name := r.PathValue("name")
	on, err := s.watchable(name, http.StatusUnprocessableEntity)
	if err != nil {
		return 0, nil, err
	}
	l, ok := on.(*webListener)
	if !ok {
		return 0, nil, fault.Refused(http.StatusUnprocessableEntity, "watch a proxy with protocol http", "proxy %q knows no requests", name)
	}
	out, err := l.met.Watch(ask)
	if err != nil {
		return 0, nil, err
	}
	out.Proxy, out.Left = name, s.before.proxies(r.Context(), []registry.ProxyStatus{l.status()})[0].Left
	return http.StatusOK, out, nil
}

func (s *server) handleMeeting(r *http.Request) (int, any, error) {
	var body registry.Meeting
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	if len(body.Met) > fault.MaxMeeting {
		return 0, nil, fault.Refused(http.StatusBadRequest, "tell them in several calls", "%d requests are told at once, of at most %d", len(body.Met), fault.MaxMeeting)
	}
	joined, err := s.faults.Meet(r.PathValue("id"), body)
	return http.StatusOK, joined, err
}
