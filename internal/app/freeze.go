package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/runner"
)

// freezes are probes of the settings that must be met for anything to start or
// go on: no open incident, no rollout, enough error budget. Not to know is no.
type freezes struct {
	guards []runner.Guard
	every  time.Duration

	mu    sync.Mutex
	asked time.Time
	said  string
}

func (a *App) newFreezes(specs []mishap.ProbeSpec) (*freezes, error) {
	f := &freezes{every: time.Second}
	for _, spec := range specs {
		probe, err := a.CheckProbe(spec)
		if err = mishap.WithoutWarnings(err); err != nil {
			return nil, mishap.Invalid(fmt.Errorf("governor: freeze %s: %w", spec.Name, err))
		}
		f.guards = append(f.guards, runner.Guard{Name: "freeze " + spec.Name, Safeguard: freeze{spec, probe}})
	}
	return f, nil
}

// freeze is one of them as a safeguard.
type freeze struct {
	spec  mishap.ProbeSpec
	probe mishap.Probe
}

// Check measures once.
func (f freeze) Check(ctx context.Context, _ mishap.Situation) error {
	ctx, cancel := context.WithTimeout(ctx, f.spec.Timeout.Std())
	defer cancel()
	seen := f.probe.Observe(ctx)
	switch seen.Result {
	case mishap.Met:
		return nil
	case mishap.Unmet:
		return &mishap.Veto{Safeguard: "freeze " + f.spec.Name, Reason: "frozen: " + seen.Detail}
	}
	return errors.New("cannot tell whether everything is frozen: " + seen.Detail)
}

// reason says why nothing may start now; empty if nothing is frozen. It asks at
// most once a second.
func (f *freezes) reason(ctx context.Context) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.asked) < f.every {
		return f.said
	}
	f.asked, f.said = time.Now(), ""
	for _, g := range f.guards {
		if err := g.Check(ctx, mishap.Situation{}); err != nil {
			f.said = g.Name + ": " + catalog.ReasonOf(err)
			break
		}
	}
	return f.said
}
