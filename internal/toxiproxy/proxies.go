package toxiproxy

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// view is a proxy as the API shows it.
type view struct {
	Name     string  `json:"name"`
	Listen   string  `json:"listen"`
	Upstream string  `json:"upstream"`
	Enabled  bool    `json:"enabled"`
	Toxics   []toxic `json:"toxics"`
}

// view copies what is shown of a proxy. The caller has the lock.
func (c *collection) view(e *entry) view {
	return view{e.name, e.listen, e.upstream, e.enabled, c.list(e)}
}

// index is GET /proxies.
func (c *collection) index(*http.Request) (int, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]view, len(c.proxies))
	for name, e := range c.proxies {
		all[name] = c.view(e)
	}
	return http.StatusOK, all, nil
}

// create is POST /proxies.
func (c *collection) create(r *http.Request) (int, any, error) {
	var d definition
	if err := decode(r, &d); err != nil {
		return 0, nil, err
	}
	switch {
	case d.Name == "":
		return 0, nil, missing("name")
	case d.Upstream == "":
		return 0, nil, missing("upstream")
	}
	v, err := c.add(r.Context(), d)
	return http.StatusCreated, v, err
}

// show is GET /proxies/{proxy}.
func (c *collection) show(r *http.Request) (int, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.get(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.view(e), nil
}

// update is POST and PATCH /proxies/{proxy}.
func (c *collection) update(r *http.Request) (int, any, error) {
	name := r.PathValue("proxy")
	if _, err := c.listenOf(name, change{}); err != nil {
		return 0, nil, err // before the body is looked at
	}
	var want change
	if err := decode(r, &want); err != nil {
		return 0, nil, err
	}
	v, err := c.apply(r.Context(), name, want)
	return http.StatusOK, v, err
}

// remove is DELETE /proxies/{proxy}.
func (c *collection) remove(r *http.Request) (int, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.get(r.PathValue("proxy"))
	switch {
	case err != nil:
		return 0, nil, err
	case e.guest == nil:
		return 0, nil, ofSettings(e.name)
	}
	c.host.Remove(e.guest)
	delete(c.proxies, e.name)
	return http.StatusNoContent, nil, nil
}

// reset is POST /reset: every proxy is enabled, and no toxic is left. A proxy that cannot be enabled keeps none of the others
// from it.
func (c *collection) reset(r *http.Request) (int, any, error) {
	var failed error
	for _, name := range c.names() {
		if err := c.resetOne(r.Context(), name); err != nil && failed == nil {
			failed = err
		}
	}
	return http.StatusNoContent, nil, failed
}

// resetOne is reset of one proxy, which may be gone by now.
func (c *collection) resetOne(ctx context.Context, name string) error {
	enabled := true
	_, err := c.apply(ctx, name, change{Enabled: &enabled})
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.proxies[name]
	if e == nil {
		return nil
	}
	c.clear(e)
	return err
}

func (c *collection) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.proxies))
}

// populated is the answer of POST /populate: what was made, and why not all.
type populated struct {
	*problem
	Proxies []view `json:"proxies"`
}

// populate is POST /populate. It stops at the first proxy that cannot be made.
func (c *collection) populate(r *http.Request) (int, any, error) {
	var list []definition
	err := decode(r, &list)
	if err == nil {
		err = check(list)
	}
	status, answer := http.StatusCreated, populated{}
	for _, d := range list {
		if err != nil {
			break
		}
		var v view
		if v, err = c.addOrReplace(r.Context(), d); err == nil {
			answer.Proxies = append(answer.Proxies, v)
		}
	}
	if err != nil {
		answer.problem = asProblem(err)
		status = answer.Status
	}
	return status, answer, nil
}

// check says what is missing in a list of proxies.
func check(list []definition) error {
	for i, d := range list {
		switch {
		case d.Name == "":
			return missing(fmt.Sprintf("name at proxy %d", i+1))
		case d.Upstream == "":
			return missing(fmt.Sprintf("upstream at proxy %d", i+1))
		}
	}
	return nil
}
