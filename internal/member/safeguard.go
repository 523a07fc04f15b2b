package member

import (
	"context"
	"fmt"

	"mishap"
)

// HaltedBy asks the ledger; without one nobody has halted anything.
func (m *Member) HaltedBy(ctx context.Context) (string, bool, error) {
	h, err := m.Halted(ctx)
	if err != nil || h == nil {
		return "", false, err
	}
	return h.String(), true, nil
}

// Others names the active runs of the experiment or its group, and those that
// a thing belongs to which the plan touches.
func (m *Member) Others(ctx context.Context, run string, p mishap.Plan) ([]string, error) {
	if !m.HasLedger(ctx) {
		return nil, nil
	}
	book, err := m.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	active, err := book.Unfinished(ctx)
	var names []string
	for _, r := range active {
		if r.ID == run {
			continue
		}
		what := ""
		if r.Experiment != p.Experiment.Name && r.Group != p.Experiment.Group {
			touched, err := book.Injections(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			if what = p.Shared(touched); what == "" {
				continue
			}
			what = ", and has " + what
		}
		names = append(names, fmt.Sprintf("run %s of %s is %s%s", r.ID, r.Experiment, r.State, what))
	}
	return names, err
}
