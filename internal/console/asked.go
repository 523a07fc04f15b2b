package console

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"slices"
	"sync"
	"time"

	"mishap/internal/api"
)

const (
	keptFor  = 12 * time.Hour
	mostKept = 100
)

// question is what a form asks for that is looked at and changes nothing.
type question struct {
	template, at string // of the page with what came of it
	title        func(name string) string
	address      func(name string) string // where it is asked; what came of it is below
	button       string
	known        func(v *visit, name string) error // why nobody can ask it of that name
	ask          func(v *visit, name string) (any, error)
}

// result is what came of a question. It has an address of its own, which nobody
// guesses: who may ask may look at it, again and again, and pass it on.
type result struct {
	title, address string
	template, at   string
	by             string
	made           time.Time
	data           any
}

// results are the latest of this process.
type results struct {
	mu  sync.Mutex
	all map[string]result // by the last part of their addresses
}

// keep keeps a result, and gives its address.
func (k *results) keep(r result, now time.Time) (address string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[string]result{}
	}
	for name, old := range k.all {
		if now.Sub(old.made) > keptFor {
			delete(k.all, name)
		}
	}
	for len(k.all) >= mostKept {
		oldest := ""
		for name, old := range k.all {
			if oldest == "" || old.made.Before(k.all[oldest].made) {
				oldest = name
			}
		}
		delete(k.all, oldest)
	}
	name := rand.Text()
	r.made = now
	r.address += "/" + name
	k.all[name] = r
	return r.address
}

// of is the result of a name; false if it is kept no more.
func (k *results) of(name string, now time.Time) (result, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.all[name]
	return r, ok && now.Sub(r.made) <= keptFor
}

// lookedAt is a result in a list.
type lookedAt struct {
	Title, Address, By string
	Made               time.Time
}

// latest are the newest results of a title, or of any if it is empty, at most so many.
func (k *results) latest(title string, now time.Time, most int) (all []lookedAt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.all {
		if (title == "" || r.title == title) && now.Sub(r.made) <= keptFor {
			all = append(all, lookedAt{r.title, r.address, r.by, r.made})
		}
	}
	slices.SortFunc(all, func(a, b lookedAt) int { return cmp.Or(b.Made.Compare(a.Made), cmp.Compare(a.Address, b.Address)) })
	return all[:min(most, len(all))]
}

// askedPage is a result, or that it is kept no more, or that nobody has asked yet.
type askedPage struct {
	Name, Title, Address, Button string
	By                           string
	Made                         time.Time
	Over                         bool
	Latest                       []lookedAt
	Of                           any
}

// asks registers a question: where it is asked, and where what came of it stays.
func (c *Console) asks(mux *http.ServeMux, pattern string, q question) {
	c.act(mux, "POST "+pattern, func(v *visit) (outcome, error) { return v.doAsk(q) })
	c.page(mux, "GET "+pattern, func(v *visit) (shown, error) { return v.mayAsk(q, false) })
	c.page(mux, "GET "+pattern+"/{result}", func(v *visit) (shown, error) { return v.result(q) })
}

// doAsk asks, and leads to what came of it.
func (v *visit) doAsk(q question) (outcome, error) {
	name := v.r.PathValue("name")
	out := outcome{to: q.address(name)}
	of, err := q.ask(v, name)
	if err != nil {
		return out, err
	}
	var who api.Who
	if err := v.get("/v1/me", &who); err != nil {
		return out, err
	}
	out.to = v.c.results.keep(result{title: q.title(name), address: out.to, template: q.template, at: q.at, by: who.Name, data: of}, time.Now())
	return out, nil
}

// mostLooked are those results that are listed.
const mostLooked = 5

// mayAsk is the page to ask, also for whoever comes for what is kept no more.
func (v *visit) mayAsk(q question, over bool) (shown, error) {
	name := v.r.PathValue("name")
	if err := q.known(v, name); err != nil {
		return shown{}, err
	}
	p := askedPage{Name: name, Title: q.title(name), Address: q.address(name), Button: q.button, Over: over}
	p.Latest = v.c.results.latest(p.Title, time.Now(), mostLooked)
	s := shown{template: "ask", title: p.Title, at: q.at, data: p}
	if over {
		s.status = http.StatusGone
	}
	return s, nil
}

// result is what came of a question, for who may ask it.
func (v *visit) result(q question) (shown, error) {
	if !v.may("operator") {
		return shown{}, &refusal{Status: http.StatusForbidden, Detail: v.framed.Who.Name + " may not see this: it needs role operator, as to ask for it does."}
	}
	name := v.r.PathValue("name")
	r, ok := v.c.results.of(v.r.PathValue("result"), time.Now())
	if !ok || r.title != q.title(name) {
		return v.mayAsk(q, true)
	}
	p := askedPage{Name: name, Title: r.title, Address: q.address(name), Button: q.button, By: r.by, Made: r.made, Of: r.data}
	return shown{template: r.template, title: r.title, at: r.at, data: p}, nil
}

// planning asks what a run of an experiment would touch.
func planning() question {
	return question{
		template: "plan", at: "experiments", button: "Plan",
		title:   func(name string) string { return "Plan of " + name },
		address: func(name string) string { return path("/experiments", name, "plan") },
		known:   func(v *visit, name string) error { return v.get(path("/v1/experiments", name), new(any)) },
		ask:     (*visit).plan,
	}
}

// observing asks what callers do at a proxy.
func observing() question {
	return question{
		template: "observed", at: "proxies", button: "Observe for 10 s",
		title:   func(name string) string { return "Callers of " + name },
		address: func(name string) string { return path("/proxies", name, "observe") },
		known:   (*visit).hasProxy,
		ask:     (*visit).observe,
	}
}
