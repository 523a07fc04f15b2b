package member

import (
	"context"
	"fmt"

	"mishap"
)

// HaltedBy asks the ledger who halted everything, when and why; without one nobody has halted anything.
func (m *Member) HaltedBy(ctx context.Context) (string, bool, error) {
	h, err := m.Halted(ctx)
	if err != nil || h == nil {
		return "", false, err
	}
	return h.Whose(), true, nil
}

// Others says of the active runs that are in the way what they have: a thing that the
// plan touches, or else its experiment or its group.
func (m *Member) Others(ctx context.Context, run string, p mishap.Plan) ([]string, error) {
	if !m.HasLedger(ctx) {
		return nil, nil
	}
	book, err := m.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	active, err := book.Unfinished(ctx)
	var all []string
	for _, r := range active {
		if r.ID == run {
			continue
		}
		touched, err := book.Injections(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		who := fmt.Sprintf("%s (run %s)", r.Experiment, r.ID)
		switch thing := p.Shared(touched); {
		case thing != "":
			all = append(all, fmt.Sprintf("%s is using %s, and is %s", who, labelOf(thing, touched), r.State))
		case r.Experiment == p.Experiment.Name:
			all = append(all, fmt.Sprintf("%s is %s, and one run of an experiment is active at a time", who, r.State))
		case r.Group == p.Experiment.Group:
			all = append(all, fmt.Sprintf("%s is %s, and is of group %q too", who, r.State, r.Group))
		}
	}
	return all, err
}

// labelOf is how a person calls the thing that one of the injections has.
func labelOf(thing string, of []mishap.Injection) string {
	for _, in := range of {
		for _, k := range in.Keys {
			if label := in.Target.Label(); k.Thing == thing && label != "" {
				return label
			}
		}
	}
	return thing
}
