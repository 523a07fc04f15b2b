package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/runner"
)

// freezesEvery is how long the answers of probes count.
const freezesEvery = time.Second

// Freezes are probes of the settings that must be met for anything to start or
// go on: no open incident, no rollout, enough error budget. Not to know is no.
type Freezes struct {
	guards []runner.Guard

	mu    sync.Mutex
	asked time.Time
	said  string
}

// NewFreezes asks the guards at most once a second.
func NewFreezes(guards ...runner.Guard) *Freezes { return &Freezes{guards: guards} }

func (c *Catalog) newFreezes(s *config.Settings, specs []mishap.ProbeSpec) (*Freezes, error) {
	f := NewFreezes()
	var problems []error
	for i, spec := range specs {
		probe, err := c.CheckProbe(spec)
		if err = mishap.WithoutWarnings(err); err != nil {
			problems = append(problems, fmt.Errorf("%s: governor: freeze %s: %w", s.At(fmt.Sprintf("governor.freezes[%d]", i)), spec.Name, err))
			continue
		}
		f.guards = append(f.guards, runner.Guard{Name: "freeze " + spec.Name, Safeguard: freeze{spec, probe}})
	}
	return f, errors.Join(problems...)
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

// Reason says why nothing may start now; empty if nothing is frozen. It asks at
// most once a second.
func (f *Freezes) Reason(ctx context.Context) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.asked) < freezesEvery {
		return f.said
	}
	f.asked, f.said = time.Now(), ""
	for _, g := range f.guards {
		if err := g.Check(ctx, mishap.Situation{}); err != nil {
			f.said = g.Name + ": " + ReasonOf(err)
			break
		}
	}
	return f.said
}
