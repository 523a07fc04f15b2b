package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"mishap/internal/proxy/fault"
)

// Callers begins a watch of the attempts that come to a proxy, or goes on with it, and gives those after ask.After. It is
// one call, and no GET, because it changes something: nothing is recorded unless it is called, and no longer than ask.Keep
// after the last time.
func (c *Client) Callers(ctx context.Context, name string, ask Watch) (w Watched, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/proxies/"+url.PathEscape(name)+"/callers", ask, &w)
	return w, wrap(fmt.Sprintf("watch callers of proxy %q", name), err)
}

func (s *server) handleCallers(r *http.Request) (int, any, error) {
	var ask Watch
	if err := readBody(r.Body, &ask); err != nil {
		return 0, nil, err
	}
	name := r.PathValue("name")
	for i, config := range s.configs {
		if config.Name != name {
			continue
		}
		var watched *calls
		switch l := s.listeners[i].(type) {
		case *webListener:
			watched = l.calls
		case *listener:
			watched = l.calls
		default:
			return 0, nil, fault.Refused(http.StatusBadRequest, "watch a proxy of http, or of tcp",
				"proxy %q passes datagrams, of which no caller can be told from another", name)
		}
		w, err := watched.watch(name, ask)
		w.Protocol = s.listeners[i].status().Protocol
		return http.StatusOK, w, err
	}
	return 0, nil, fault.Refused(http.StatusNotFound, "GET /v1/proxies lists them; those that came through Toxiproxy's API cannot be watched",
		"there is no proxy %q", name)
}
