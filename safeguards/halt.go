package safeguards

import (
	"context"
	"fmt"

	"mishap"
)

func haltKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "halt",
			Summary: "nothing starts, and everything stops, while mishap is halted",
			Doc: "`mishap halt` stops all runs that share the ledger and keeps new ones from starting, until " +
				"`mishap resume`. Always on. When the ledger cannot be asked, the answer is no.",
			Params:  none{},
			Example: "safeguard: halt\n",
		},
		Always: true,
		New:    plain(d.checkHalt),
		Uses:   noneUses,
	}
}

func (d Deps) checkHalt(ctx context.Context, _ mishap.Situation) error {
	if d.Halted == nil {
		return missing("whether everything is halted")
	}
	whose, halted, err := d.Halted(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("ask for halt: %w", err)
	case !halted:
		return nil
	}
	return &mishap.Veto{
		Safeguard: "halt",
		Reason:    "everything is halted " + whose,
		Hint:      "when it is safe again, run `mishap resume`",
	}
}
