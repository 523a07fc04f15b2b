package vault_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/vault"
)

func TestNothingIsInjectedOnceOthersMayHaveSweptTheRun(t *testing.T) {
	for away, lapses := range map[time.Duration]bool{30 * time.Second: false, 62 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			k := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
			if err := k.Hold(t.Context(), stops("run1", 2, ireland())); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute)
			if err := k.Confirm(); err != nil {
				t.Errorf("while it is prolonged: %v", err)
			}
			m.before = func(string, string) error { return errDown }
			time.Sleep(away)
			m.before = nil
			time.Sleep(time.Minute)
			if err := k.Confirm(); (err != nil) != lapses {
				t.Errorf("after it could not be written for %s: %v", away, err)
			}
			_ = k.Settle(t.Context(), nil)
		})
	}
}

// A server that stood still does not revert what another run has done since.
func TestWhatWasSweptAndIsAnotherRunsByNowIsNotReverted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := newMemory(), stops("run1", 2, ireland())
		first := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
		if err := first.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if why, err := first.Taken(t.Context(), all[0], time.Now()); why != "" || err != nil || m.reads == 0 {
			t.Errorf("its own is taken: %s", why)
		}
		m.before = func(_, name string) error { // of the first alone
			if strings.Contains(name, "run1") && strings.HasPrefix(name, "holds/") {
				return errDown
			}
			return nil
		}
		time.Sleep(2 * time.Minute)
		m.before = nil
		places{ireland(): m}.vaults(t, "cy@tower").Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}, Runs: []string{"run1"}, Revert: newSystem(all...).Revert})
		theirs := all[1]
		theirs.ID, theirs.Run = "run2.1.1", "run2"
		second := places{ireland(): m}.vaults(t, "bob@desk").Keep("run2")
		if err := second.Hold(t.Context(), []mishap.Injection{theirs}); err != nil {
			t.Fatal(err)
		}
		if why, err := first.Taken(t.Context(), all[0], time.Now()); why != "" || err != nil {
			t.Errorf("what nobody has is taken: %s", why)
		}
		if why, _ := first.Taken(t.Context(), all[1], time.Now()); !strings.Contains(why, "run run2 of bob@desk") {
			t.Errorf("what another run has is taken: %q", why)
		}
		_, _ = first.Settle(t.Context(), nil), second.Settle(t.Context(), nil)
	})
}

// A vault that hangs keeps nothing from being reverted.
func TestAVaultThatDoesNotAnswerHoldsUpNoRevert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := newMemory(), stops("run1", 100, ireland())
		m.takes = 2 * time.Second
		for i := range 1000 { // many pages
			in := stop("run2", i, "i-x", ireland())
			in.Keys[0].Thing += strings.Repeat("x", i)
			m.put(vault.ClaimName(in.Keys[0].Thing), claimText(t, in))
		}
		v, began := places{ireland(): m}.vaults(t, "ann@laptop"), time.Now() // one attempt
		for _, in := range all {
			if why, err := v.Taken(t.Context(), in, began); why != "" || err == nil {
				t.Errorf("%s, %v", why, err)
			}
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("it was waited for %s", took)
		}
	})
}

// A claim has the name of its thing, whoever makes it.
func TestARunThatWasSweptLeavesTheClaimOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := newMemory(), stops("run1", 1, ireland())
		first := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
		if err := first.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		m.before = func(_, name string) error {
			if name == vault.HoldName("run1") {
				return errDown
			}
			return nil
		}
		time.Sleep(2 * time.Minute)
		m.before = nil
		places{ireland(): m}.vaults(t, "cy@tower").Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}, Runs: []string{"run1"}, Revert: newSystem(all...).Revert})
		theirs := all[0]
		theirs.ID, theirs.Run = "run2.1.1", "run2"
		second := places{ireland(): m}.vaults(t, "bob@desk").Keep("run2")
		if err := second.Hold(t.Context(), []mishap.Injection{theirs}); err != nil {
			t.Fatal(err)
		}
		if err := first.Settle(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if names := m.names(); !slices.Contains(names, vault.ClaimName(all[0].Keys[0].Thing)) {
			t.Errorf("left are %q", names)
		}
		_ = second.Settle(t.Context(), nil)
		if names := m.names(); names != nil {
			t.Errorf("in the end there is %q", names)
		}
	})
}
