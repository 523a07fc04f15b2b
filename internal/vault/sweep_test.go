package vault_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/vault"
)

func TestASweepRevertsWhatIsPastItsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		v, sweeping := places{ireland(): m}.vaults(t, "bob@desk"), vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: world.Revert}
		if got := v.Sweep(t.Context(), sweeping); len(got.Records) != 1 || !got.Records[0].Held || len(world.in) != 3 {
			t.Fatalf("what its owner holds was not left alone: %+v, %d in", got, len(world.in))
		}
		time.Sleep(vault.HeldFor + time.Second)
		got := v.Sweep(t.Context(), sweeping)
		if len(got.Records) != 1 || !got.Records[0].Out() || got.Records[0].By != "ann@laptop" || len(world.in) != 0 || got.Places[0].Err != nil {
			t.Errorf("%+v, %d in", got, len(world.in))
		}
		time.Sleep(time.Hour)
		if m.names() != nil {
			t.Errorf("left: %s", m.names())
		}
		if got := v.Sweep(t.Context(), sweeping); got.Records != nil {
			t.Errorf("swept again: %+v", got)
		}
	})
}

func TestAYoungerRecordIsSweptByNameOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := stops("run1", 2, ireland()), stops("run2", 3, ireland())
		m, world := heldBy(t, first), newSystem(append(first, second...)...)
		for name, item := range heldBy(t, second).items {
			m.items[name] = item
		}
		got := places{ireland(): m}.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}, Runs: []string{"run2"}, Revert: world.Revert})
		if len(got.Records) != 1 || got.Records[0].Run != "run2" || !got.Records[0].Out() || len(world.in) != 2 {
			t.Errorf("%+v, in: %v", got, world.in)
		}
		if names := m.names(); len(names) != 3 || !slices.Contains(names, "undo/run1/1") {
			t.Errorf("left: %s", names)
		}
	})
}

func TestWhatIsProlongedIsNotSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 2, ireland())
		m, world := newMemory(), newSystem(all...)
		k := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
		if err := k.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		v := places{ireland(): m}.vaults(t, "bob@desk")
		for range 200 {
			time.Sleep(7 * time.Second)
			if got := v.Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: world.Revert}); len(got.Records) != 1 || !got.Records[0].Held {
				t.Fatalf("%+v", got.Records)
			}
		}
		_ = k.Settle(t.Context(), nil)
		if len(world.in) != 2 || m.names() != nil {
			t.Errorf("%d in, left: %s", len(world.in), m.names())
		}
	})
}

// Claims of a run that was lost while it made them keep nobody out for ever.
func TestClaimsWithoutARecordAreRemovedOnceTheirHoldIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := stops("run1", 1, ireland())[0]
		m := newMemory()
		m.put(vault.ClaimName(in.Keys[0].Thing), claimText(t, in))
		v, sweeping := places{ireland(): m}.vaults(t, "bob@desk"), vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: newSystem().Revert}
		v.Sweep(t.Context(), sweeping)
		if m.names() == nil {
			t.Fatal("a claim that is held was removed")
		}
		time.Sleep(vault.HeldFor + time.Second)
		v.Sweep(t.Context(), sweeping)
		if m.names() != nil {
			t.Errorf("left: %s", m.names())
		}
	})
}

// The reverts of a sweep may take a quarter of an hour: a run that began meanwhile is
// not taken for one that was lost.
func TestALongSweepLeavesTheClaimsOfARunThatBeganMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := stops("run1", 1, ireland())
		m, world := heldBy(t, lost), newSystem(lost...)
		world.takes = 15 * time.Minute
		time.Sleep(vault.HeldFor + time.Second)
		young := stop("run2", 0, "i-0123", ireland())
		k := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run2")
		time.AfterFunc(time.Minute, func() {
			if err := k.Hold(t.Context(), []mishap.Injection{young}); err != nil {
				t.Error(err)
			}
		})
		places{ireland(): m}.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: world.Revert})
		if names := m.names(); !slices.Equal(names, []string{vault.ClaimName(young.Keys[0].Thing), "holds/run2", "undo/run2/1"}) {
			t.Errorf("left: %s", names)
		}
		_ = k.Settle(t.Context(), nil)
	})
}

func TestWhatCannotBeRevertedStaysAndMayBeTriedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		world.stuck[all[1].Target.ID] = true
		time.Sleep(vault.HeldFor + time.Second)
		v, sweeping := places{ireland(): m}.vaults(t, "bob@desk"), vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: world.Revert}
		got := v.Sweep(t.Context(), sweeping).Records[0]
		if got.Out() || got.Left[1].State != mishap.InjectionStranded || got.Left[0].State != mishap.InjectionReverted || len(world.in) != 1 {
			t.Errorf("%+v, in: %v", got, world.in)
		}
		world.stuck = nil
		if got := v.Sweep(t.Context(), sweeping).Records[0]; !got.Out() || m.names() != nil {
			t.Errorf("%+v, left: %s", got, m.names())
		}
	})
}

// Two servers that sweep do not both call the API for the same.
func TestASweepKeepsOthersFromWhatItReverts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		world.takes = 10 * time.Minute
		time.Sleep(vault.HeldFor + time.Second)
		sweeping := vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: world.Revert}
		go places{ireland(): m}.vaults(t, "bob@desk").Sweep(t.Context(), sweeping)
		time.Sleep(5 * time.Minute)
		if got := (places{ireland(): m}).vaults(t, "cy@tower").Sweep(t.Context(), sweeping); !got.Records[0].Held || world.revert != 1 {
			t.Errorf("%+v, %d reverts", got.Records[0], world.revert)
		}
		time.Sleep(20 * time.Minute)
		if m.names() != nil {
			t.Errorf("left: %s", m.names())
		}
	})
}

func TestWhatCannotBeReadIsToldAndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		item := m.items["undo/run1/1"]
		item.Text = item.Text[:len(item.Text)/2]
		m.items["undo/run1/1"] = item
		m.items["undo/run2/1"] = heldBy(t, stops("run2", 1, frankfurt())).items["undo/run2/1"] // copied from another place
		before := m.names()
		time.Sleep(time.Hour)
		got := places{ireland(): m}.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: world.Revert})
		if len(got.Records) != 2 || got.Records[0].Problem == nil || got.Records[1].Problem == nil || got.Records[0].Out() || world.revert != 0 {
			t.Errorf("%+v, %d reverts", got.Records, world.revert)
		}
		if !slices.Equal(before, m.names()) {
			t.Errorf("left: %s", m.names())
		}
	})
}

// A place that cannot be looked into is told, and holds up no other.
func TestAPlaceThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		p, world := places{ireland(): heldBy(t, all), frankfurt(): newMemory()}, newSystem(all...)
		p[frankfurt()].before = func(op, _ string) error { time.Sleep(time.Minute); return errDown }
		time.Sleep(vault.HeldFor + time.Second)
		began := time.Now()
		got := p.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: p.list(), Revert: world.Revert})
		if !errors.Is(got.Places[0].Err, errDown) || !strings.Contains(got.Places[0].Err.Error(), "eu-central-1") || got.Places[1].Err != nil {
			t.Errorf("%+v", got.Places)
		}
		if len(world.in) != 0 || world.first.Sub(began) > time.Second {
			t.Errorf("%d in, the first revert after %s", len(world.in), world.first.Sub(began))
		}
	})
}

// On fake time, with a store that takes 100 ms a call: the calls are what is counted.
func TestAThousandRecordsInSixPlacesAreListedWithinTenSecondsAndRevertedAfterTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := places{}
		var all []mishap.Injection
		for i := range 1000 {
			where := mishap.Place{Account: []string{"111111111111", "222222222222"}[i%2], Region: []string{"eu-west-1", "eu-central-1", "us-east-1"}[i%3]}
			if p[where] == nil {
				p[where] = newMemory()
				p[where].takes = 100 * time.Millisecond
			}
			in := stops(fmt.Sprintf("run%04d", i), 1, where)
			for name, item := range heldBy(t, in).items {
				p[where].items[name] = item
			}
			all = append(all, in...)
		}
		time.Sleep(vault.HeldFor + time.Second)
		began := time.Now()
		got := p.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: p.list()})
		took, calls := time.Since(began), 0
		for _, m := range p {
			calls = max(calls, m.reads)
		}
		t.Logf("%d records listed after %s, with at most %d calls in a place", len(got.Records), took, calls)
		if len(got.Records) != 1000 || took > 10*time.Second {
			t.Errorf("%d records after %s", len(got.Records), took)
		}
		began, world := time.Now(), newSystem(all...)
		p.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: p.list(), Revert: world.Revert})
		t.Logf("the first revert after %s, all removed after %s", world.first.Sub(began), time.Since(began))
		if world.first.Sub(began) > 2*time.Second || len(world.in) != 0 {
			t.Errorf("the first revert after %s, %d left in", world.first.Sub(began), len(world.in))
		}
		for where, m := range p {
			if names := m.names(); names != nil {
				t.Errorf("left in %s: %d", where.Region, len(names))
			}
		}
	})
}

// Two sweeps may find the same, and one be slow.
func TestASweepLeavesTheClaimThatAnotherRunMadeSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 2, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		time.Sleep(vault.HeldFor + time.Second)
		theirs := all[0]
		theirs.Run = "run2"
		name, listed := vault.ClaimName(all[0].Keys[0].Thing), false
		m.after = func(op, folder string) error {
			if op == "list" && folder == "claims" && !listed { // another sweep is done, and another run begins
				listed = true
				m.mu.Lock()
				m.put(name, claimText(t, theirs))
				m.mu.Unlock()
			}
			return nil
		}
		got := places{ireland(): m}.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}, Revert: world.Revert})
		if names := m.names(); len(names) != 1 || names[0] != name || got.Places[0].Err != nil {
			t.Errorf("left are %q, want the claim of the other run; %v", names, got.Places[0].Err)
		}
	})
}
