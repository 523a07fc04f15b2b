package toxiproxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"mishap/internal/proxy/fault"
)

// toxic is one toxic of a proxy. It never changes; a changed one takes its place.
type toxic struct {
	Attributes attributes `json:"attributes"`
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	Stream     string     `json:"stream"`
	Toxicity   float32    `json:"toxicity"`
	Expires    lease      `json:"expires,omitzero"`

	fault string    // its id; "" while the toxic does nothing
	until time.Time // when a toxic without a fault is over; zero is never
	seed  uint64    // chooses the connections, and stays when the toxic is changed
}

// way is the direction of the toxic; "" if there is none of that name.
func (t toxic) way() fault.Direction {
	switch d := fault.Direction(strings.ToLower(t.Stream)); d {
	case fault.Upstream, fault.Downstream:
		return d
	default:
		return ""
	}
}

// list gives the toxics of a proxy, those of upstream first, and forgets those that are over. The caller has the lock.
func (c *collection) list(e *entry) []toxic {
	e.chain = slices.DeleteFunc(e.chain, func(t *toxic) bool { return c.over(t) })
	list := []toxic{}
	for _, way := range []fault.Direction{fault.Upstream, fault.Downstream} {
		for _, t := range e.chain {
			if t.way() == way {
				list = append(list, *t)
			}
		}
	}
	return list
}

// over says whether a toxic has expired, or its fault was removed by an operator of the proxy.
func (c *collection) over(t *toxic) bool {
	if t.fault != "" {
		return !c.host.InForce(t.fault)
	}
	return !t.until.IsZero() && !time.Now().Before(t.until)
}

// find gives the place of a toxic in the chain, or -1.
func (c *collection) find(e *entry, name string) int {
	return slices.IndexFunc(e.chain, func(t *toxic) bool { return t.Name == name && !c.over(t) })
}

// toxics is GET /proxies/{proxy}/toxics.
func (c *collection) toxics(r *http.Request) (int, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.get(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.list(e), nil
}

// addToxic is POST /proxies/{proxy}/toxics.
func (c *collection) addToxic(r *http.Request) (int, any, error) {
	if _, err := c.listenOf(r.PathValue("proxy"), change{}); err != nil {
		return 0, nil, err
	}
	t, err := readToxic(r)
	if err != nil {
		return 0, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.get(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	c.list(e)
	if c.find(e, t.Name) >= 0 {
		return 0, nil, &problem{"toxic already exists", http.StatusConflict}
	}
	if t.attributes != nil {
		return 0, nil, t.attributes
	}
	if err := c.inject(e, &t.toxic); err != nil {
		return 0, nil, badBody(err)
	}
	e.chain = append(e.chain, &t.toxic)
	return http.StatusOK, t.toxic, nil
}

// showToxic is GET /proxies/{proxy}/toxics/{toxic}.
func (c *collection) showToxic(r *http.Request) (int, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, i, err := c.locate(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, *e.chain[i], nil
}

// locate finds the toxic that a request names. The caller has the lock.
func (c *collection) locate(r *http.Request) (e *entry, i int, err error) {
	if e, err = c.get(r.PathValue("proxy")); err != nil {
		return nil, 0, err
	}
	if i = c.find(e, r.PathValue("toxic")); i < 0 {
		return nil, 0, toxicNotFound()
	}
	return e, i, nil
}

// updateToxic is POST and PATCH /proxies/{proxy}/toxics/{toxic}. Attributes that are left out stay. A lease begins anew.
func (c *collection) updateToxic(r *http.Request) (int, any, error) {
	old, err := c.snapshot(r)
	if err != nil {
		return 0, nil, err // before the body is looked at
	}
	body, err := bodyOf(r)
	if err != nil {
		return 0, nil, err
	}
	if err := body.over(&old); err != nil {
		return 0, nil, err // whoever changes it meanwhile, a body that cannot be read for it stays one
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, i, err := c.locate(r)
	if err != nil {
		return 0, nil, err
	}
	next := *e.chain[i]
	if err := body.over(&next); err != nil {
		return 0, nil, err
	}
	if err := c.inject(e, &next); err != nil {
		return 0, nil, badBody(err)
	}
	e.chain[i] = &next
	return http.StatusOK, next, nil
}

// snapshot copies the toxic that a request names.
func (c *collection) snapshot(r *http.Request) (toxic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, i, err := c.locate(r)
	if err != nil {
		return toxic{}, err
	}
	return *e.chain[i], nil
}

// removeToxic is DELETE /proxies/{proxy}/toxics/{toxic}.
func (c *collection) removeToxic(r *http.Request) (int, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, i, err := c.locate(r)
	if err != nil {
		return 0, nil, err
	}
	c.take(e.chain[i])
	e.chain = slices.Delete(e.chain, i, i+1)
	return http.StatusNoContent, nil, nil
}

// clear removes all toxics of a proxy. The caller has the lock.
func (c *collection) clear(e *entry) {
	for _, t := range e.chain {
		c.take(t)
	}
	e.chain = nil
}

// take ends what a toxic does.
func (c *collection) take(t *toxic) {
	if t.fault != "" {
		_ = c.host.Take(t.fault) // of an id of ours it does not fail
		t.fault = ""
	}
}

// inject makes the proxy do what a toxic says, in one step if it did something else for it before. The caller has the lock.
func (c *collection) inject(e *entry, t *toxic) error {
	effect, err := t.Attributes.effect()
	if err != nil {
		return err
	}
	if effect == nil || !(t.Toxicity > 0) {
		c.take(t)
		t.until = time.Time{}
		if t.Expires > 0 {
			t.until = time.Now().Add(time.Duration(t.Expires))
		}
		return nil
	}
	id := t.fault
	if id == "" {
		c.put++
		id = fmt.Sprintf("toxic-%d-%s", c.put, plain(t.Name))
	}
	if t.seed == 0 {
		t.seed = rand.Uint64()
	}
	_, err = c.host.Put(fault.Fault{ID: id, Proxy: e.name, Effect: effect, Direction: t.way(), Seed: t.seed,
		Share: float64(min(t.Toxicity, 1)), Expires: time.Duration(t.Expires)})
	if err == nil {
		t.fault = id
	}
	return err
}

// plain is a name as it may be in the id of a fault.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '.'
	}, name[:min(len(name), 64)])
}
