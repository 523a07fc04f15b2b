package keeper_test

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/injectortest"
	"mishap/internal/keeper"
)

// serving is a keeper in this process, so that it may be on fake time.
type serving struct {
	server *json.Encoder
	pipe   io.Closer
	ended  chan error
}

// serve starts one for a cloud, hands over an injection on each instance, and asks
// for all of them to be injected in one call.
func serve(t *testing.T, dir string, c *injectortest.Cloud, ids ...string) serving {
	t.Helper()
	return serveTaken(t, dir, c, nil, ids...)
}

// serveTaken is serve of a keeper that may ask whose a thing is.
func serveTaken(t *testing.T, dir string, c *injectortest.Cloud, taken func(context.Context, mishap.Injection, time.Time) (string, error), ids ...string) serving {
	t.Helper()
	kind := c.Kind()
	in, pipe := io.Pipe()
	o := options(in, io.Discard, dir)
	o.Restore, o.Taken = kind.Restore, taken
	s := serving{json.NewEncoder(pipe), pipe, make(chan error, 1)}
	go func() {
		err := keeper.Serve(o)
		_ = in.Close()
		s.ended <- err
	}()
	c.Run(ids...)
	injector, err := kind.New(mishap.Fault{Targets: injectortest.Raw(ids)})
	must(t, err)
	found, err := injector.Prepare(t.Context(), mishap.Request{})
	must(t, err)
	var names []string
	for n, one := range kind.Complete(found) {
		one.ID, one.Run, one.Fault, one.For, one.Keys = injection(dir, n).ID, "r", "f", mishap.Duration(time.Hour), nil
		must(t, s.server.Encode(map[string]any{"n": n + 1, "op": "hold", "injection": one}))
		names = append(names, one.ID)
	}
	must(t, s.server.Encode(map[string]any{"n": len(ids) + 1, "op": "inject", "ids": names}))
	return s
}

func TestAKeeperRevertsALostCallOnlyOnceItsAPIShowsIt(t *testing.T) {
	for _, call := range []string{"stop", "start", "describe", "none"} {
		for _, fate := range []injectortest.Fate{injectortest.FailsBefore, injectortest.FailsAfter, injectortest.AnswersLate} {
			t.Run(call+" "+string(fate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { lostCall(t, call, fate) })
			})
		}
	}
}

// lostCall lets one call go wrong, and the server die.
func lostCall(t *testing.T, call string, fate injectortest.Fate) {
	dir := t.TempDir()
	c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 5 * time.Second}
	var lost atomic.Bool
	c.Judge(func(name string) injectortest.Fate {
		if name != call || name == "describe" && c.Calls("stop") == 0 || lost.Swap(true) {
			return ""
		}
		return fate
	})
	s := serve(t, dir, c, "i-1", "i-2")
	time.Sleep(time.Second)
	must(t, s.pipe.Close()) // the server is dead
	time.Sleep(2 * time.Second)
	if left := undo(t, dir).Outstanding(); len(left) != 2 {
		t.Errorf("after 2 s the undo file holds %d", len(left))
	}
	must(t, <-s.ended)
	if left := undo(t, dir).Outstanding(); len(left) != 0 {
		t.Errorf("in the end the undo file holds %d", len(left))
	}
	time.Sleep(time.Minute)
	if c.State("i-1") != "running" || c.State("i-2") != "running" {
		t.Errorf("in the end they are %s and %s", c.State("i-1"), c.State("i-2"))
	}
	if calls := c.Calls("stop"); calls > 1 {
		t.Errorf("two were stopped in %d calls", calls)
	}
}

func TestAKeeperAsksAgainForAsLongAsItsKindSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := &injectortest.Cloud{Stops: 5 * time.Minute, Starts: time.Minute}
		ids := []string{"i-1", "i-2", "i-3"}
		s := serve(t, dir, c, ids...)
		time.Sleep(time.Second)
		must(t, s.pipe.Close())
		must(t, <-s.ended) // although its server allows 2 s
		if slices.ContainsFunc(ids, func(id string) bool { return c.State(id) != "running" }) {
			t.Error("one does not run")
		}
		if calls := c.Calls("start"); calls != 1 {
			t.Errorf("three were started in %d calls", calls)
		}
	})
}

// A run that could not say for a while that it lives may have been swept, and what is
// stopped then be another run's.
func TestAKeeperAsksWhoseAThingIsOnceOthersMayHaveSweptIt(t *testing.T) {
	for name, test := range map[string]struct {
		held  time.Duration // how long the server says that nobody else may
		taken string
		asks  bool
		state string
	}{
		"nobody may have":         {held: 40 * time.Second, taken: "run2 has it", state: "running"},
		"others may, and did not": {held: -time.Second, asks: true, state: "running"},
		"others did":              {held: -time.Second, taken: "run2 has it", asks: true, state: "stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Bool
				dir, c := t.TempDir(), &injectortest.Cloud{Stops: time.Second, Starts: time.Second}
				s := serveTaken(t, dir, c, func(context.Context, mishap.Injection, time.Time) (string, error) {
					asked.Store(true)
					return test.taken, nil
				}, "i-1")
				time.Sleep(2 * time.Second)
				must(t, s.server.Encode(map[string]any{"op": "beat", "held": time.Now().Add(test.held)}))
				must(t, s.pipe.Close())
				must(t, <-s.ended)
				if left := undo(t, dir).Outstanding(); asked.Load() != test.asks || c.State("i-1") != test.state || len(left) != 0 {
					t.Errorf("it asked: %t; the instance is %s, and %d outstanding", asked.Load(), c.State("i-1"), len(left))
				}
			})
		})
	}
}
