package api

import (
	"cmp"
	"context"
	"net/url"
	"sync"
)

// pages is where people reach the server's pages, asked for once.
type pages struct {
	mu    sync.Mutex
	known bool
	at    string
}

// PageOf is the address of a run's page: that which the server says people reach it by,
// else that which it is asked at.
func (r *Client) PageOf(ctx context.Context, run string) string {
	r.pages.mu.Lock()
	defer r.pages.mu.Unlock()
	if !r.pages.known {
		var who Who
		if r.ask(ctx, "GET", "/v1/me", nil, &who) != nil { // an older server has no pages
			return ""
		}
		if r.pages.known, r.pages.at = true, who.Pages; r.base != socketBase {
			r.pages.at = cmp.Or(who.Pages, r.base)
		}
	}
	if r.pages.at == "" {
		return ""
	}
	return r.pages.at + "/runs/" + url.PathEscape(run)
}
