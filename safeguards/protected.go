package safeguards

import (
	"context"
	"fmt"
	"path"
	"strings"

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
	for _, id := range []string{t.ID, shortID(t.ID), t.Name} {
		if hit, err := path.Match(pattern, t.Kind+"/"+id); err != nil || hit {
			return hit, err
		}
	}
	return false, nil
}

// shortID is what stands at the end of an ARN: "i-0123456789abcdef0". Other ids
// are themselves.
func shortID(id string) string {
	if !strings.HasPrefix(id, "arn:") {
		return id
	}
	return id[strings.LastIndexAny(id, "/:")+1:]
}
