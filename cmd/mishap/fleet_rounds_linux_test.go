package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	roundsByHand = 45 // experiments that are asked for
	roundsByCron = 3  // that are due each minute
)

// Rounds of kills, freezes longer than a lease, thaws after others have gone on,
// and restarts of the database at random moments, while schedules are served: no
// revert meets what another run has put in, and every time is dealt with once. By
// hand: make attack-fleet N=200.
func TestFleetRounds(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("MISHAP_FLEET"))
	if err != nil || rounds < 1 {
		t.Skip("by hand: make attack-fleet N=20")
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("MISHAP_FLEET_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	f := markedFleet(t, fleetOptions{servers: 3, mortal: 3, experiments: roundsByHand + roundsByCron}, func(i int) (string, string) {
		if i >= roundsByHand {
			return "mark", "1s}]\nschedule: {cron: '* * * * *', timezone: UTC, missed: skip}\n"
		}
		return "mark", "4s}]\n"
	})
	hurt := map[string]int{}
	for round := range rounds {
		f.round(rng, hurt)
		f.until(90*time.Second, fmt.Sprintf("round %d settles", round), func() bool { return len(f.target.left()) == 0 && f.settled() })
		for _, m := range f.servers {
			if m.cmd.ProcessState != nil {
				f.up(m)
			}
		}
		if t.Failed() {
			break
		}
	}
	if status, text := f.servers[0].call("PUT", "/v1/halt", `{"reason": "the end"}`); status != http.StatusOK {
		t.Fatalf("halt: %d %s", status, text)
	}
	f.until(90*time.Second, "what was due is over", f.settled)
	t.Logf("%d rounds, %d runs, %v", rounds, f.audit(), hurt)
}

// round starts runs and hurts the fleet once or twice while they go on.
func (f *fleet) round(rng *rand.Rand, hurt map[string]int) {
	var begun sync.WaitGroup
	begun.Go(func() { f.start(roundsByHand) })
	defer begun.Wait()
	for range 1 + rng.IntN(2) {
		time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Second))))
		m := f.servers[rng.IntN(len(f.servers))]
		switch rng.IntN(4) {
		case 0:
			hurt["kills"]++
			f.kill(m)
		case 1:
			if m.cmd.ProcessState == nil {
				hurt["freezes"]++
				_ = m.cmd.Process.Signal(syscall.SIGSTOP)
				time.Sleep(fleetLease + time.Duration(rng.Int64N(int64(3*time.Second))))
				_ = m.cmd.Process.Signal(syscall.SIGCONT)
			}
		case 2:
			hurt["restarts of the database"]++
			f.pg.Down()
			time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second))))
			ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
			err := f.pg.Up(ctx)
			cancel()
			if err != nil {
				f.t.Errorf("restart postgres: %v", err)
			}
		case 3:
			if m.cmd.ProcessState == nil && len(f.others(m)) > 0 {
				begun.Wait()
				if f.thaw(m, rng) {
					hurt["thaws into other runs"]++
				} else {
					hurt["thaws"]++
				}
			}
		}
	}
}

// others are the servers besides that run.
func (f *fleet) others(m *member) (all []*member) {
	for _, other := range f.servers {
		if other != m && other.cmd.ProcessState == nil {
			all = append(all, other)
		}
	}
	return all
}

// thaw freezes a server, and lets it go on when others have reverted what it had
// in and new runs of the same have injected. It reports whether there were such.
func (f *fleet) thaw(m *member, rng *rand.Rand) bool {
	_ = m.cmd.Process.Signal(syscall.SIGSTOP)
	defer func() { _ = m.cmd.Process.Signal(syscall.SIGCONT) }()
	f.until(2*fleetLease+20*time.Second, "what a frozen server had is over", f.settled)
	before := f.target.injections()
	f.startOn(f.others(m), roundsByHand)
	f.until(20*time.Second, "new runs have injected", func() bool { return f.target.injections() > before })
	time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second)))) // any moment of theirs
	return len(f.target.left()) > 0
}
