package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/runner"
)

// Rules are what the settings say of all runs, however they begin: limits,
// freezes, and the window and the calendar of the house.
type Rules struct {
	Limits  mishap.Limits
	Freezes *Freezes
	timed   []mishap.Safeguard // those that can be asked about any time
	Guards  []runner.Guard     // all that a run asks as long as it goes on
}

// house keeps the rules: a calendar remembers its feed.
type house struct {
	mu    sync.Mutex
	rules *Rules
}

// Rules are the rules of the settings. Once they could be made there is no error.
func (c *Catalog) Rules() (_ *Rules, err error) {
	c.house.mu.Lock()
	defer c.house.mu.Unlock()
	if c.house.rules == nil {
		c.house.rules, err = c.newRules(c.settings)
	}
	return c.house.rules, err
}

// Reload makes the rules of other settings, which are those of all runs that begin once
// they are taken. Runs under way go by those that they began with.
func (c *Catalog) Reload(next *config.Settings) (take func(), err error) {
	rules, err := c.newRules(next)
	if err != nil {
		return nil, err
	}
	return func() {
		c.house.mu.Lock()
		defer c.house.mu.Unlock()
		c.house.rules = rules
	}, nil
}

// newRules makes the rules of settings. What those name themselves may be read for them.
func (c *Catalog) newRules(s *config.Settings) (*Rules, error) {
	g := s.Live().Governor
	r := &Rules{Limits: mishap.Limits{Runs: g.Runs, Targets: g.Targets, Share: g.Share, Approval: mishap.ApprovalRule(g.Approval)}}
	var problems []error
	var err error
	if c.files != nil {
		files, err := c.boundFiles(s)
		if err != nil {
			return nil, err
		}
		c = &Catalog{o: c.o, settings: c.settings, cloud: c.cloud, declared: c.declared, hosts: c.hosts, files: files}
	}
	if r.Freezes, err = c.newFreezes(s, g.Freezes); err != nil {
		problems = append(problems, err)
	}
	for _, k := range c.Checked().Safeguards {
		with := map[string]json.RawMessage{"window": g.Window, "calendar": g.Calendar}[k.Name]
		if with == nil {
			continue
		}
		guard, err := k.New(besideSettings(s, with))
		if err = mishap.WithoutWarnings(err); err != nil {
			problems = append(problems, fmt.Errorf("%s: governor: %s: %w", s.At("governor."+k.Name), k.Name, err))
			continue
		}
		r.timed = append(r.timed, houseGuard{guard})
		r.Guards = append(r.Guards, runner.Guard{Name: k.Name + " of the settings", Safeguard: houseGuard{guard}})
	}
	if problems != nil {
		return nil, mishap.Invalid(errors.Join(problems...))
	}
	for _, f := range r.Freezes.guards {
		r.Guards = append(r.Guards, runner.Guard{Name: f.Name, Safeguard: houseGuard{f.Safeguard}})
	}
	return r, nil
}

// Refused lists when the window and the calendar of the settings let nothing run, by
// their beginnings. What could not be told is in the error.
func (r *Rules) Refused(ctx context.Context, from, to time.Time) (all []mishap.Span, err error) {
	for _, s := range r.timed {
		h, _ := s.(houseGuard)
		if f, can := h.Safeguard.(mishap.Foreseer); can {
			spans, why := f.Refuses(ctx, from, to)
			all, err = append(all, spans...), errors.Join(err, why)
		}
	}
	slices.SortStableFunc(all, func(a, b mishap.Span) int { return a.From.Compare(b.From) })
	return all, err
}

// houseGuard is a safeguard that the settings set for all runs.
type houseGuard struct{ mishap.Safeguard }

// Check says whose no it is, and who may do what about it.
func (h houseGuard) Check(ctx context.Context, s mishap.Situation) error {
	err := h.Safeguard.Check(ctx, s)
	var veto *mishap.Veto
	if errors.As(err, &veto) {
		return &mishap.Veto{Safeguard: veto.Safeguard, Reason: veto.Reason + "; the settings say so for all runs", Hint: "run it later; by hand, `--override WHY` runs it all the same, and is recorded"}
	}
	return err
}
