package safeguards

import (
	"context"
	"fmt"
	"path"

	"mishap"
)

func protectedKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "protected",
			Summary: "what the settings protect is never touched",
			Doc: "Compares each target with the patterns under `protected` in the settings, as kind/id and as kind/name: " +
				"process/sshd, ec2-instance/i-0abc*, proxy/login. Always on.",
			Params:  none{},
			Example: "safeguard: protected\n",
		},
		Always: true,
		New:    plain(d.checkProtected),
		Uses:   noneUses,
	}
}

func (d Deps) checkProtected(_ context.Context, s mishap.Situation) error {
	var problems []string
	for _, in := range s.Plan.Injections {
		for _, pattern := range d.Protected {
			hit, err := matches(pattern, in.Target)
			if err != nil {
				return fmt.Errorf("read pattern %q: %w", pattern, err)
			}
			if hit {
				problems = append(problems, fmt.Sprintf("%s is protected by %q", in.Target.Label(), pattern))
				break
			}
		}
	}
	if problems == nil {
		return nil
	}
	return &mishap.Veto{Safeguard: "protected", Reason: some(problems), Hint: "choose other targets, or change `protected` in the settings"}
}

func matches(pattern string, t mishap.Target) (bool, error) {
	byID, err := path.Match(pattern, t.Kind+"/"+t.ID)
	if err != nil || byID {
		return byID, err
	}
	return path.Match(pattern, t.Kind+"/"+t.Name)
}
