package vault

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mishap"
)

// Vaults are the vaults of all places, one each.
type Vaults struct {
	By   string // whom to ask about what is written here: user and host
	Open func(ctx context.Context, where mishap.Place) (Store, error)
	Log  *slog.Logger

	mu     sync.Mutex
	opened map[mishap.Place]Store
	claims map[mishap.Place]*claims
}

// store is the vault of a place, opened once.
func (v *Vaults) store(ctx context.Context, where mishap.Place) (Store, error) {
	v.mu.Lock()
	known := v.opened[where]
	v.mu.Unlock()
	if known != nil {
		return known, nil
	}
	s, err := v.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.opened == nil {
		v.opened = map[mishap.Place]Store{}
	}
	if v.opened[where] == nil { // nobody waits here for somebody else's network
		v.opened[where] = s
	}
	return v.opened[where], nil
}

// renew says that the owner of a run lives, from now on until stop is called, which
// waits for the last write. Done is told of each that is written, and when it was
// begun; it may be nil.
func (v *Vaults) renew(where mishap.Place, run string, first time.Duration, done func(time.Time)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		next := time.NewTimer(first)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
			}
			began := time.Now()
			err := v.prolong(ctx, where, run)
			next.Reset(renewEvery)
			if err == nil && done != nil {
				done(began)
			}
			if err != nil && ctx.Err() == nil {
				next.Reset(time.Second)
				v.Log.Warn("prolong the hold on what is in the vault", "run", run, "account", where.Account, "region", where.Region, "error", err)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func (v *Vaults) prolong(ctx context.Context, where mishap.Place, run string) error {
	s, err := v.store(ctx, where)
	if err != nil {
		return err
	}
	text, err := mark{Run: run, By: v.By}.text()
	if err != nil {
		return err
	}
	return s.Put(ctx, holdName(run), text)
}

// everywhere calls for each place, side by side, and joins what goes wrong.
func everywhere[P any](places []P, call func(P) error) error {
	problems := make([]error, len(places))
	var side sync.WaitGroup
	for i, p := range places {
		side.Go(func() { problems[i] = call(p) })
	}
	side.Wait()
	return errors.Join(problems...)
}

// inPlace says which vault an error is about.
func inPlace(where mishap.Place) string {
	return "vault of " + where.Account + " in " + where.Region
}
