package control

import (
	"context"
	"errors"
	"fmt"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/registry"
	"net/http"
	"net/url"
)

// Callers begins a watch of the attempts that come to a proxy, or goes on with it, and gives those after ask.After. It is
// one call, and no GET, because it changes something: nothing is recorded unless it is called, and no longer than ask.Keep
// after the last time.
func (c *Client) Callers(ctx context.Context, name string, ask attempts.Watch) (w attempts.Watched, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/proxies/"+url.PathEscape(name)+"/callers", ask, &w)
	return w, wrap(fmt.Sprintf("watch callers of proxy %q", name), err)
}

// Meet tells arms which of their requests met the fault, and gives what they know of that. What was told may be told again.
func (c *Client) Meet(ctx context.Context, id string, m registry.Meeting) (joined registry.Joined, err error) {
	err = c.call(ctx, http.MethodPost, faultPath(id)+"/met", m, &joined)
	return joined, wrap(fmt.Sprintf("tell fault %q which requests met the fault", id), err)
}

// Met gives the requests that met the faults of a run on a proxy, or would have. A proxy of an earlier version gives
// ErrOlder.
func (c *Client) Met(ctx context.Context, proxy string, ask attempts.MetWatch) (met attempts.Met, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/proxies/"+url.PathEscape(proxy)+"/met", ask, &met)
	if errors.Is(err, ErrNotFound) { // there is no such call
		err = fmt.Errorf("%w: %w", ErrOlder, err)
	}
	return met, wrap(fmt.Sprintf("ask proxy %q which requests met the fault", proxy), err)
}
