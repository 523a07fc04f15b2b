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
				"service manager), on process 1, on a proxy that it needs itself, on the EC2 instance that mishap runs on, and on what that " +
				"stands on: its subnet, network ACL, route table, endpoints of its VPC, security groups and Auto Scaling group; and on the roles " +
				"that mishap calls AWS as, and the key of its vault. Always on.",
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
		why, err := self.needs(ctx, in.Target)
		if err != nil {
			return fmt.Errorf("find out what mishap stands on: %w", err)
		}
		if why != "" {
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
func (s Self) needs(ctx context.Context, t mishap.Target) (string, error) {
	if !t.Where.Local() {
		return s.needsOfAWS(ctx, t)
	}
	return s.needsHere(t), nil
}

// needsOfAWS is needs for what lives in AWS.
func (s Self) needsOfAWS(ctx context.Context, t mishap.Target) (string, error) {
	if t.Kind == "ec2-instance" && s.Instance != "" && shortID(t.ID) == s.Instance {
		return "the machine that mishap runs on", nil
	}
	thing := thingOf(t.ID)
	switch thing.service {
	case "iam":
		if slices.ContainsFunc(s.Roles, func(role string) bool { return thingOf(role) == thing }) {
			return "a role that mishap calls AWS as", nil
		}
	case "kms":
		if slices.ContainsFunc(s.Keys, func(key string) bool { return thingOf(key) == thing || key == thing.name }) {
			return "the key of mishap's vault", nil
		}
	}
	if t.Kind == "ec2-instance" || thing.service != "ec2" && thing.service != "autoscaling" || s.StandsOn == nil {
		return "", nil
	}
	all, err := s.StandsOn(ctx)
	for arn, why := range all {
		if thingOf(arn) == thing {
			return why, err
		}
	}
	return "", err
}

// thing is what an ARN names, without the path and the ids of AWS's own that some
// have in it.
type thing struct{ service, region, account, name string }

func thingOf(arn string) thing {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return thing{}
	}
	return thing{parts[2], parts[3], parts[4], shortID(arn)}
}

// needsHere is needs for what lives on this machine.
func (s Self) needsHere(t mishap.Target) string {
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
