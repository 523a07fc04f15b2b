package safeguards

import (
	"context"
	"fmt"
	"time"

	"mishap"
)

// injectingSlack is added to the longest run while it goes on: the clock starts
// before the first fault is in, and each fault's own time only after it is.
const injectingSlack = 10 * time.Second

func durationKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "duration",
			Summary: "no fault stays in force for longer than the settings allow",
			Doc: "Refuses an experiment whose faults could be in force for longer than `longestRun` of the settings (default 1h), " +
				"counted from the first injection to the end of the last fault, and stops a run that lasts longer than that " +
				"and ten seconds for injecting. Always on.",
			Params:  none{},
			Example: "safeguard: duration\n",
		},
		Always: true,
		New:    plain(d.checkDuration),
		Uses:   noneUses,
	}
}

func (d Deps) checkDuration(_ context.Context, s mishap.Situation) error {
	longest, limit := s.Plan.Experiment.Longest(), d.LongestRun
	for _, in := range s.Plan.Injections {
		longest = max(longest, in.For.Std())
	}
	if longest > limit {
		return &mishap.Veto{
			Safeguard: "duration",
			Reason:    fmt.Sprintf("the faults could be in force for %s, the settings allow %s", mishap.Duration(longest), mishap.Duration(limit)),
			Hint:      "shorten `for` of the faults, or raise `longestRun` in the settings",
		}
	}
	if s.Started.IsZero() {
		return nil
	}
	if elapsed := s.Now.Sub(s.Started); elapsed > limit+injectingSlack {
		return &mishap.Veto{
			Safeguard: "duration",
			Reason:    fmt.Sprintf("the faults have been in force for %s, the settings allow %s", mishap.Duration(elapsed.Round(time.Second)), mishap.Duration(limit)),
			Hint:      "raise `longestRun` in the settings if that is too short",
		}
	}
	return nil
}
