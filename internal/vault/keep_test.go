package vault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/vault"
)

func TestWhatIsHeldIsRemovedWhenItIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := append(stops("run1", 3, ireland()), stops("run1", 2, frankfurt())...)
		p := places{ireland(): newMemory(), frankfurt(): newMemory()}
		k := p.vaults(t, "ann@laptop").Keep("run1")
		if err := k.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		for where, n := range map[mishap.Place]int{ireland(): 3, frankfurt(): 2} {
			names := p[where].names()
			if len(names) != n+2 || !slices.Contains(names, "undo/run1/1") || !slices.Contains(names, "holds/run1") {
				t.Errorf("%s has %s", where.Region, names)
			}
		}
		if err := k.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		for _, m := range p {
			if names := m.names(); names != nil {
				t.Errorf("left: %s", names)
			}
		}
	})
}

func TestWhatIsStrandedStaysInTheVault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		all[1].Fault = "another"
		m := newMemory()
		k := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
		if err := k.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if err := k.Settle(t.Context(), all[1:2]); err != nil {
			t.Fatal(err)
		}
		if names := m.names(); !slices.Equal(names, []string{vault.ClaimName(all[1].Keys[0].Thing), "undo/run1/2"}) {
			t.Errorf("left: %s", names)
		}
	})
}

func TestOnlyOneOfTwoLedgersChangesAThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		all := stops("run1", 3, ireland())
		first := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
		if err := first.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		other := stop("run2", 0, "i-0123", ireland())
		other.Keys = append(other.Keys, all[2].Keys[0])
		for _, removed := range []string{"", vault.ClaimName(all[2].Keys[0].Thing)} {
			if removed != "" { // by somebody; the record still says whose it is
				_ = m.Delete(t.Context(), removed)
			}
			second := places{ireland(): m}.vaults(t, "bob@desk").Keep("run2")
			err := second.Hold(t.Context(), []mishap.Injection{other})
			if !errors.Is(err, mishap.ErrTaken) || !strings.Contains(err.Error(), "run run1 of ann@laptop") || !strings.Contains(mishap.HintOf(err), "mishap sweep") {
				t.Errorf("removed %q: %v; hint %s", removed, err, mishap.HintOf(err))
			}
			if err := second.Settle(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(m.names(), func(n string) bool { return strings.Contains(n, "run2") }); i >= 0 {
				t.Errorf("the one that yielded left %s", m.names())
			}
		}
		if err := first.Settle(t.Context(), nil); err != nil || m.names() != nil {
			t.Errorf("%v, left: %s", err, m.names())
		}
	})
}

func TestOfManyLedgersAtOnceAtMostOneHoldsAThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		held := make(chan *vault.Keep, 20)
		for i := range 20 {
			run := "run" + string(rune('a'+i))
			go func() {
				in := stop(run, 0, "i-0123", ireland())
				k := places{ireland(): m}.vaults(t, run).Keep(run)
				if err := k.Hold(t.Context(), []mishap.Injection{in}); err == nil {
					held <- k
					return
				}
				_ = k.Settle(t.Context(), nil)
			}()
		}
		time.Sleep(10 * time.Second)
		if len(held) != 1 {
			t.Errorf("%d hold it", len(held))
		}
		_ = (<-held).Settle(t.Context(), nil)
	})
}

// A call whose answer was lost is made again by whoever makes it.
func TestAClaimWhoseAnswerWasLostIsItsMakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		all := stops("run1", 1, ireland())
		k := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
		_ = m.Create(t.Context(), vault.ClaimName(all[0].Keys[0].Thing), claimText(t, all[0]))
		if err := k.Hold(t.Context(), all); err != nil {
			t.Error(err)
		}
		if err := k.Settle(t.Context(), nil); err != nil || m.names() != nil {
			t.Errorf("%v, left: %s", err, m.names())
		}
	})
}

func TestAClaimThatFailedIsRemovedOnlyIfItIsOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := stop("run1", 0, "i-0123", ireland())
		for _, whose := range []string{"run1", "run2"} {
			m := newMemory()
			m.before = func(op, name string) error {
				if op == "create" {
					return errDown
				}
				return nil
			}
			other := in
			other.Run = whose
			m.put(vault.ClaimName(in.Keys[0].Thing), claimText(t, other))
			k := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
			if err := k.Hold(t.Context(), []mishap.Injection{in}); !errors.Is(err, errDown) {
				t.Errorf("held: %v", err)
			}
			if err := k.Settle(t.Context(), nil); err != nil {
				t.Error(err)
			}
			if kept := m.names() != nil; kept != (whose == "run2") {
				t.Errorf("of %s: %s", whose, m.names())
			}
		}
	})
}

func TestAVaultThatCannotBeWrittenInOnePlaceHoldsNothingInAny(t *testing.T) {
	for _, op := range []string{"create", "put", "list"} {
		synctest.Test(t, func(t *testing.T) {
			all := append(stops("run1", 3, ireland()), stops("run1", 2, frankfurt())...)
			p := places{ireland(): newMemory(), frankfurt(): newMemory()}
			p[frankfurt()].before = func(o, _ string) error {
				if o == op {
					return errDown
				}
				return nil
			}
			k := p.vaults(t, "ann@laptop").Keep("run1")
			err := k.Hold(t.Context(), all)
			if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "vault of 123456789012 in eu-central-1") {
				t.Errorf("%s: %v", op, err)
			}
			if err := k.Settle(t.Context(), nil); err != nil {
				t.Error(err)
			}
			for _, m := range p {
				if names := m.names(); names != nil {
					t.Errorf("%s: left: %s", op, names)
				}
			}
		})
	}
}

// Whatever a run changes in a place, that it lives costs one write in 20 s.
func TestRenewalsAreOneWriteWhateverARunHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		k := places{ireland(): m}.vaults(t, "ann@laptop").Keep("run1")
		if err := k.Hold(t.Context(), stops("run1", 1000, ireland())); err != nil {
			t.Fatal(err)
		}
		held := m.writes
		time.Sleep(10 * time.Minute)
		if renewals := m.writes - held; renewals > 31 || renewals < 28 {
			t.Errorf("%d renewals in 10 minutes", renewals)
		}
		_ = k.Settle(t.Context(), nil)
		if held < 1000+10 || held > 1000+10+5 {
			t.Errorf("%d writes for 1,000 instances", held)
		}
	})
}

func TestWhatALostServerHeldIsSettledByWhoTookTheRunOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		all := stops("run1", 3, ireland())
		// The first server is lost right after it held: nobody settles or renews.
		m.items = heldBy(t, all).items
		m.put(vault.ClaimName("another"), claimText(t, mishap.Injection{Run: "run2", Keys: []mishap.Key{{Thing: "another"}}}))
		k := places{ireland(): m}.vaults(t, "bob@desk").Keep("run1")
		k.Adopt(all)
		time.Sleep(5 * time.Minute)
		if got := (places{ireland(): m}).vaults(t, "x").Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{ireland()}}); len(got.Records) != 1 || !got.Records[0].Held {
			t.Errorf("while it is reverted others may sweep it: %+v", got.Records)
		}
		if err := k.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if names := m.names(); !slices.Equal(names, []string{vault.ClaimName("another")}) {
			t.Errorf("left: %s", names)
		}
	})
}

func TestARunWithoutAnythingInACloudHasNoVault(t *testing.T) {
	k := places{}.vaults(t, "ann@laptop").Keep("run1")
	local := mishap.Injection{ID: "run1.1.1", Keys: []mishap.Key{{Thing: "process/1"}}}
	if err := errors.Join(k.Hold(t.Context(), []mishap.Injection{local}), k.Settle(t.Context(), nil)); err != nil {
		t.Error(err)
	}
}
