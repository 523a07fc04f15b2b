package member

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/api"
	"mishap/internal/ledger"
)

const (
	haltEvery   = 100 * time.Millisecond // how often a server asks whether everything is halted
	writeWithin = 8 * time.Second        // how long halt waits for a ledger that somebody else has locked
)

// Halted says who halted everything; nil if nobody did.
func (m *Member) Halted(ctx context.Context) (*ledger.Halt, error) {
	if !m.HasLedger(ctx) {
		return nil, nil
	}
	book, err := m.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	return book.Halted(ctx)
}

// Halt stops everything and lets nothing start. It waits until every server of
// this host has seen it, and every run under way has begun to revert. Everywhere
// takes in the other ledgers of this host that have living servers.
//
// Servers are asked directly, beside the ledger: a brake must not depend on a
// file that is locked, damaged or gone.
func (m *Member) Halt(ctx context.Context, by, reason string, everywhere bool) ([]api.Stopped, error) {
	ask := brake{By: by, Reason: reason}
	own, others := m.Neighbours(true), map[string][]Neighbour{}
	if everywhere {
		for _, n := range m.Neighbours(false) {
			others[n.Ledger] = append(others[n.Ledger], n)
		}
	}
	own = append(own, m.silent(own)...)
	here := m.HasLedger(ctx) || len(own) > 0
	if !here && len(others) == 0 {
		return nil, fmt.Errorf("halt: %w", m.noLedger())
	}
	ctx, cancel := context.WithTimeout(ctx, api.StopWithin)
	defer cancel()
	all := make([]api.Stopped, len(others))
	var done sync.WaitGroup
	for i, where := range slices.Sorted(maps.Keys(others)) {
		done.Go(func() { all[i] = haltOthers(ctx, where, others[where], ask) })
	}
	if here {
		all = append([]api.Stopped{m.haltOwn(ctx, own, ask)}, all...)
	}
	done.Wait()
	return all, nil
}

// haltOwn writes halt to this ledger and asks its servers on this host.
func (m *Member) haltOwn(ctx context.Context, servers []Neighbour, ask brake) api.Stopped {
	s := api.Stopped{Ledger: m.Where()}
	var unwritten atomic.Bool
	var running []ledger.Record
	var late error
	var writing sync.WaitGroup
	writing.Go(func() {
		book, before, err := m.writeHalt(ctx, ask)
		s.Before = before
		if err != nil {
			unwritten.Store(true)
			s.Problem = err
			return
		}
		if running, err = underWay(ctx, book, ""); err == nil {
			err = awaitReverting(ctx, book, "")
		}
		late = err
	})
	asked := stopServers(ctx, servers, ask, &unwritten)
	writing.Wait()
	s.Servers, s.Runs, s.Late = asked.Servers, asked.Runs, asked.Late
	for _, r := range running {
		s.Runs = append(s.Runs, r.ID)
	}
	slices.Sort(s.Runs)
	s.Runs = slices.Compact(s.Runs)
	if late != nil {
		s.Late = append(s.Late, late.Error())
	}
	return s
}

// writeHalt writes halt to a ledger that exists; every server of it reads that. What
// there was before is answered too, if it could be read.
func (m *Member) writeHalt(ctx context.Context, ask brake) (ledger.Ledger, *ledger.Halt, error) {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	book, err := m.Existing(ctx)
	if err != nil {
		return nil, nil, err
	}
	at := time.Now()
	if err := book.Halt(ctx, ledger.Halt{By: ask.By, Reason: ask.Reason, At: at}); err != nil {
		return book, nil, err
	}
	is, err := book.Halted(ctx)
	if err != nil || is == nil || is.At.Equal(at) {
		return book, nil, nil //nolint:nilerr // it is written, and whose was first is not worth more
	}
	return book, is, nil
}

// haltOthers lets the servers of another ledger halt it: they have what it takes
// to open it.
func haltOthers(ctx context.Context, where string, servers []Neighbour, ask brake) api.Stopped {
	ask.Write = true
	s := stopServers(ctx, servers, ask, new(atomic.Bool))
	s.Ledger = where
	return s
}

// stopServers asks servers to stop their runs until all have begun to revert and,
// unless halt could not be written, until they have seen it.
func stopServers(ctx context.Context, servers []Neighbour, ask brake, unwritten *atomic.Bool) api.Stopped {
	var s api.Stopped
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, n := range servers {
		all.Go(func() {
			seen, err := stopServer(ctx, n, ask, unwritten)
			mu.Lock()
			defer mu.Unlock()
			s.Runs = append(s.Runs, n.underWay()...)
			if err != nil {
				s.Late = append(s.Late, err.Error())
			} else if seen {
				s.Servers = append(s.Servers, n.Who())
			}
		})
	}
	all.Wait()
	slices.Sort(s.Servers)
	slices.Sort(s.Late)
	return s
}

// stopServer asks one server. One that is gone meanwhile has not seen it, and
// has nothing to stop any more.
func stopServer(ctx context.Context, n Neighbour, ask brake, unwritten *atomic.Bool) (seen bool, err error) {
	if me := os.Getuid(); me != 0 && n.uid != me {
		return false, fmt.Errorf("%s cannot be asked by this user: run this as %s or root", n.Who(), n.User)
	}
	for {
		var why string
		got, err := askPresence(n.address, &ask)
		left := got.underWay()
		switch {
		case isGone(err):
			return false, nil
		case err != nil:
			why = "it does not answer"
		case len(left) > 0:
			why = "it has not begun to revert " + strings.Join(left, ", ")
		case got.Halted || unwritten.Load():
			return true, nil
		case got.Problem != "":
			why = got.Problem
		default:
			why = "it has not seen the halt"
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("%s: %s", n.Who(), why)
		case <-time.After(2 * haltEvery):
		}
	}
}
