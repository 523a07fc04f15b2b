package safeguards

import (
	"context"
	"fmt"

	"mishap"
)

func exclusiveKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "exclusive",
			Summary: "at most one run per experiment, per group, and per thing that is changed",
			Doc: "Two faults at once on the same part of a system make both verdicts worthless, so a run is refused while " +
				"another one of the same experiment or the same `group` is active, or one that a proxy, a process or an instance belongs to " +
				"which this run would change; one that is stranded counts as active. Always on.",
			Params:  none{},
			Example: "safeguard: exclusive\n",
		},
		Always: true,
		New:    plain(d.checkExclusive),
		Uses:   noneUses,
	}
}

func (d Deps) checkExclusive(ctx context.Context, s mishap.Situation) error {
	if d.Others == nil {
		return missing("which other runs are active")
	}
	others, err := d.Others(ctx, s.Plan)
	if err != nil {
		return fmt.Errorf("list active runs: %w", err)
	}
	if len(others) == 0 {
		return nil
	}
	return &mishap.Veto{
		Safeguard: "exclusive",
		Reason:    some(others),
		Hint:      "wait for it to end; `mishap status` shows it and `mishap abort RUN` ends it",
	}
}
