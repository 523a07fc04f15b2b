package safeguards

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"mishap"
)

func blastRadiusKind() mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "blast-radius",
			Summary: "no more targets, and no larger share of them, than the experiment says",
			Doc: "Counts the targets of all faults together against `blastRadius.targets`; a target that two faults touch counts " +
				"once. For every fault, its targets must be no larger share of those that its selection matched than " +
				"`blastRadius.share`: 1 of 1 is 100%; a fault on a share of a proxy's traffic counts as that share. Always on.",
			Params:  none{},
			Example: "safeguard: blast-radius\n",
		},
		Always: true,
		New:    plain(checkBlastRadius),
		Uses:   noneUses,
	}
}

// touched tells targets apart; an id is unique within its kind and place.
type touched struct {
	kind, id string
	where    mishap.Place
}

func checkBlastRadius(_ context.Context, s mishap.Situation) error {
	limit := s.Plan.Experiment.BlastRadius
	all := map[touched]bool{}
	perFault := map[string]map[touched]float64{}
	matched := map[string]int{}
	var order, problems []string
	for _, in := range s.Plan.Injections {
		if in.Fault == mishap.ArmsFault {
			continue // it harms nothing; the faults count what the experiment arm has
		}
		key := touched{in.Target.Kind, in.Target.ID, in.Target.Where}
		if perFault[in.Fault] == nil {
			perFault[in.Fault] = map[touched]float64{}
			order = append(order, in.Fault)
		}
		all[key] = true
		perFault[in.Fault][key] = max(perFault[in.Fault][key], part(in))
		matched[in.Fault] = max(matched[in.Fault], in.Matched)
	}
	if n := len(all); n > limit.Targets {
		problems = append(problems, fmt.Sprintf("the faults touch %s, the blast radius allows %d", targets(n), limit.Targets))
	}
	for _, fault := range order {
		// An injector that matched less than it selects is wrong; then it is all.
		n, hit := len(perFault[fault]), 0.0
		for _, share := range perFault[fault] {
			hit += share
		}
		if of := max(matched[fault], n); exceeds(hit, of, limit.Share) {
			problems = append(problems, fmt.Sprintf("%s: %d of %s is %s, the blast radius allows %s",
				fault, n, targets(of), percent(hit/float64(of)), percent(float64(limit.Share))))
		}
	}
	if problems == nil {
		return nil
	}
	return &mishap.Veto{
		Safeguard: "blast-radius",
		Reason:    some(problems),
		Hint:      "select fewer targets, or raise `blastRadius` if the system can bear it",
	}
}

// part is how much of its target an injection may hit: all, unless it is a share
// of a target's traffic.
func part(in mishap.Injection) float64 {
	if in.Share > 0 {
		return float64(in.Share)
	}
	return 1
}

// exceeds reports whether hit of of is a larger share than the limit; a limit of
// zero means none. The slack is for shares that binary fractions only approach.
func exceeds(hit float64, of int, limit mishap.Share) bool {
	const slack = 1e-9
	return limit > 0 && hit > float64(limit)*float64(of)+slack
}

func targets(n int) string {
	if n == 1 {
		return "1 target"
	}
	return strconv.Itoa(n) + " targets"
}

// percent writes a share with as many of two decimals as it needs.
func percent(share float64) string {
	text := strconv.FormatFloat(share*100, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}
