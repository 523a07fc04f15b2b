package safeguards

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mishap"
)

func selfKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "self",
			Summary: "mishap does not touch what it needs to revert",
			Doc: "Refuses faults on mishap's own process and keeper, on the processes that started them (a shell, a terminal, a " +
				"service manager), on process 1, on the EC2 instance that mishap runs on, and on a proxy that it needs itself. Always on.",
			Params:  none{},
			Example: "safeguard: self\n",
		},
		Always: true,
		New:    plain(d.checkSelf),
		Uses:   noneUses,
	}
}

func (d Deps) checkSelf(ctx context.Context, s mishap.Situation) error {
	if d.Self == nil {
		return missing("what mishap itself stands on")
	}
	self, err := d.Self(ctx)
	if err != nil {
		return fmt.Errorf("find out what mishap stands on: %w", err)
	}
	var problems []string
	for _, in := range s.Plan.Injections {
		if why := self.needs(in.Target); why != "" {
			problems = append(problems, fmt.Sprintf("%s is %s", in.Target.Label(), why))
		}
	}
	if problems == nil {
		return nil
	}
	return &mishap.Veto{
		Safeguard: "self",
		Reason:    "mishap would cut itself off: " + some(problems),
		Hint:      "choose other targets, or run mishap from elsewhere",
	}
}

// needs says what the target is to mishap; nothing if it can do without.
func (s Self) needs(t mishap.Target) string {
	if !t.Where.Local() && t.Kind != "ec2-instance" {
		return ""
	}
	switch t.Kind {
	case "process":
		// "boot:pid:start"
		parts := strings.Split(t.ID, ":")
		pid, err := strconv.Atoi(parts[min(1, len(parts)-1)])
		switch {
		case err != nil:
			return "not a process that can be told from mishap's own"
		case pid == 1:
			return "the first process of the machine"
		case slices.Contains(s.PIDs, pid):
			return "mishap itself, its keeper, or what started them"
		}
	case "ec2-instance":
		if s.Instance != "" && shortID(t.ID) == s.Instance {
			return "the machine that mishap runs on"
		}
	case "proxy":
		if slices.Contains(s.Proxies, t.ID) {
			return "a proxy that mishap needs itself"
		}
	}
	return ""
}
