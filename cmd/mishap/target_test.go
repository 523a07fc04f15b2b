package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"mishap"
)

// target is a slow system far away that faults can be put into: it remembers
// which injection is in under which key, and who asked for what how often.
type target struct {
	*httptest.Server
	mu       sync.Mutex
	in       map[string]string // key → injection
	injected map[string]int    // injection → calls
	reverts  map[string]int    // injection → calls
	foreign  []string          // reverts that met what another injection had put in
	slowest  time.Duration
	reverted time.Time // when the last revert began
}

func newTarget(t *testing.T, slowest time.Duration) *target {
	g := &target{in: map[string]string{}, injected: map[string]int{}, reverts: map[string]int{}, slowest: slowest}
	mux := http.NewServeMux()
	slow := func() { time.Sleep(rand.N(slowest)) }
	mux.HandleFunc("POST /inject", func(_ http.ResponseWriter, r *http.Request) {
		slow()
		g.mu.Lock()
		defer g.mu.Unlock()
		if r.Context().Err() != nil {
			return // the caller has given up, and reverts: on a busy machine it may have been overtaken
		}
		g.in[r.FormValue("key")] = r.FormValue("id")
		g.injected[r.FormValue("id")]++
	})
	mux.HandleFunc("POST /revert", func(_ http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.reverted = time.Now()
		g.mu.Unlock()
		slow()
		g.mu.Lock()
		defer g.mu.Unlock()
		key, id := r.FormValue("key"), r.FormValue("id")
		g.reverts[id]++
		switch g.in[key] {
		case id:
			delete(g.in, key)
		case "":
		default:
			if r.FormValue("kind") == "token" {
				break // it can be told apart
			}
			g.foreign = append(g.foreign, fmt.Sprintf("%s of %s met %s", id, key, g.in[key]))
		}
	})
	mux.HandleFunc("GET /in", func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		fmt.Fprint(w, g.in[r.FormValue("key")])
	})
	mux.HandleFunc("GET /ok", func(http.ResponseWriter, *http.Request) {})
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

// left lists what is in.
func (g *target) left() map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]string{}
	for k, v := range g.in {
		all[k] = v
	}
	return all
}

// twice lists the injections that were done more than once.
func (g *target) twice() (all []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, n := range g.injected {
		if n > 1 {
			all = append(all, id)
		}
	}
	return all
}

// met lists the foreign reverts.
func (g *target) met() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.foreign)
}

// injections counts what was ever put in.
func (g *target) injections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.injected)
}

// everything is what was ever put in, and how often.
func (g *target) everything() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.injected)
}

// revertsOf is how often the revert of an injection was asked for.
func (g *target) revertsOf(id string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reverts[id]
}

// fakeTarget is the injectors of such a target: "mark", which no process keeps, so
// that another server must revert it; "token", whose fault bears its injection's id,
// as those of a proxy do; and "kept", which has a keeper.
func fakeTarget(address string) []mishap.InjectorKind {
	if address == "" {
		return nil
	}
	var all []mishap.InjectorKind
	for name, keeper := range map[string]mishap.Keeper{"mark": "", "token": mishap.KeeperProxy, "kept": mishap.KeeperProcess} {
		one := mark{address, name}
		kind := mishap.InjectorKind{
			Kind:    mishap.Kind{Name: name, Summary: "marks a key of the fake target"},
			Targets: markTargets{}, Keeper: keeper,
			Uses: func(mishap.Fault) (mishap.Uses, error) { return mishap.Uses{}, nil },
			New:  func(mishap.Fault) (mishap.Injector, error) { return one, nil },

			Restore: func(mishap.Injection) (mishap.Injector, error) { return one, nil },
		}
		all = append(all, kind)
	}
	return all
}

type markTargets struct {
	Key string `json:"key" jsonschema:"what to mark"`
}

type mark struct{ address, kind string }

func (m mark) ask(ctx context.Context, method, what string, in mishap.Injection) (string, error) {
	q := url.Values{"key": {in.Target.ID}, "id": {in.ID}, "kind": {m.kind}}
	req, err := http.NewRequestWithContext(ctx, method, m.address+what+"?"+q.Encode(), nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// Prepare names the key. Its place is a host of its own, so that any server may
// revert it.
func (m mark) Prepare(_ context.Context, r mishap.Request) ([]mishap.Injection, error) {
	var t markTargets
	if err := json.Unmarshal(r.Fault.Targets, &t); err != nil {
		return nil, err
	}
	where := mishap.Place{Host: "target"}
	return []mishap.Injection{{
		Injector: m.kind, Matched: 1, Keys: []mishap.Key{{Thing: "mark/" + t.Key, Attribute: "mark"}}, Undo: json.RawMessage(`{}`),
		Target: mishap.Target{ID: t.Key, Kind: "mark", Where: where, Tags: map[string]string{"mishap": "allow"}},
	}}, nil
}

// Inject marks it.
func (m mark) Inject(ctx context.Context, in mishap.Injection) error {
	_, err := m.ask(ctx, "POST", "/inject", in)
	return err
}

// Revert takes the mark away and looks.
func (m mark) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	if _, err := m.ask(ctx, "POST", "/revert", in); err != nil {
		return mishap.Reverted{}, err
	}
	found, err := m.ask(ctx, "GET", "/in", in)
	if err == nil && found == in.ID {
		err = fmt.Errorf("%s is still marked", in.Target.ID)
	}
	return mishap.Reverted{State: mishap.InjectionReverted}, err
}

// Verify looks.
func (m mark) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	found, err := m.ask(ctx, "GET", "/in", in)
	if err == nil && found == in.ID {
		return mishap.Effect{InForce: mishap.Yes}, nil
	}
	return mishap.Effect{InForce: mishap.No}, err
}
