package vault_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/sweep"
	"mishap/internal/vault"
)

func sweeper(t *testing.T, p places, world *system) *sweep.Sweeper {
	i := instances{system: world}
	return &sweep.Sweeper{Vaults: p.vaults(t, "server@host"), Places: p.list(), Log: testLog(t), RevertWithin: 2 * time.Minute, Restore: func(mishap.Injection) (mishap.Injector, error) { return i, nil }}
}

// watch lets a server sweep for a while, and counts the records that it told of.
func watch(t *testing.T, s *sweep.Sweeper, long time.Duration, ours ...string) (told int) {
	ctx, end := context.WithTimeout(t.Context(), long)
	defer end()
	s.Watch(ctx, func(context.Context) func(string) bool {
		return func(run string) bool {
			for _, one := range ours {
				if run == one {
					return true
				}
			}
			return false
		}
	}, func(vault.Found) { told++ })
	return told
}

func TestAServerSweepsWithinTwoMinutesOfALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		if told := watch(t, sweeper(t, places{ireland(): m}, world), 2*time.Minute); told != 1 || len(world.in) != 0 || m.names() != nil {
			t.Errorf("told of %d; %d in; left: %s", told, len(world.in), m.names())
		}
	})
}

func TestAServerLeavesTheRunsOfItsLedgerToTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 3, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		before := len(m.names())
		if told := watch(t, sweeper(t, places{ireland(): m}, world), time.Hour, "run1"); told != 0 || len(world.in) != 3 || len(m.names()) != before {
			t.Errorf("told of %d; %d in; left: %s", told, len(world.in), m.names())
		}
	})
}

// What cannot be reverted fills neither a log nor an API's limits, and is not forgotten.
func TestAServerTriesWhatStaysInLessAndLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, fine := stops("run1", 1, ireland()), stops("run2", 1, frankfurt())
		p, world := places{ireland(): heldBy(t, lost), frankfurt(): newMemory()}, newSystem(append(lost, fine...)...)
		i := instances{system: world}
		stuck := sweeper(t, p, world)
		broken := true
		stuck.Restore = func(in mishap.Injection) (mishap.Injector, error) {
			if broken && in.Run == "run1" {
				return nil, errDown
			}
			return i, nil
		}
		time.AfterFunc(5*time.Hour, func() { // another is lost meanwhile
			for name, item := range heldBy(t, fine).items {
				p[frankfurt()].put(name, item.Text)
			}
		})
		time.AfterFunc(12*time.Hour, func() { broken = false })
		told := watch(t, stuck, 14*time.Hour)
		if told < 8 || told > 22 || len(world.in) != 0 {
			t.Errorf("told of %d; %d in", told, len(world.in))
		}
		for _, m := range p {
			if names := m.names(); names != nil {
				t.Errorf("left: %s", names)
			}
		}
	})
}

func TestARecordOfAnUnknownInjectorIsToldAndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := stops("run1", 2, ireland())
		m, world := heldBy(t, all), newSystem(all...)
		s := sweeper(t, places{ireland(): m}, world)
		s.Restore = func(in mishap.Injection) (mishap.Injector, error) { return mishap.Restore(nil, in) }
		time.Sleep(2 * time.Minute)
		got := s.Sweep(t.Context(), nil).Records
		if len(got) != 1 || got[0].Out() || got[0].Left[0].State != mishap.InjectionStranded || len(m.names()) == 0 {
			t.Errorf("%+v; left: %s", got, m.names())
		}
	})
}
