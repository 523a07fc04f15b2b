package aws

import (
	"slices"

	"mishap"
)

// allow is a statement of a policy that a fault needs.
type allow struct {
	actions []string // "ec2:StopInstances"
	// on is the resources: empty for the targets, "*" where the actions know none,
	// else the pattern of an ARN, such as "arn:{partition}:ec2:{region}:{account}:network-acl/*".
	on string
	// when is conditions by operator and key.
	when map[string]map[string][]string
	// plan is what only plans need, and can do without.
	plan bool
}

// reading allows what reads only, which mostly knows no resources.
func reading(actions ...string) allow { return allow{actions: actions, on: "*"} }

// acting allows what acts on the targets.
func acting(actions ...string) allow { return allow{actions: actions} }

// words lists the actions, as a plan does.
func words(all []allow) (actions []string) {
	for _, a := range all {
		for _, action := range a.actions {
			if !slices.Contains(actions, action) {
				actions = append(actions, action)
			}
		}
	}
	return actions
}

// permits makes the statements that injections in one account and region need.
func (a about) permits(all []mishap.Injection) mishap.Permissions {
	return mishap.Permissions{Inject: a.statements(a.do, all), Revert: a.statements(a.undo, all)}
}

func (a about) statements(needs []allow, all []mishap.Injection) (out []mishap.Statement) {
	for _, need := range needs {
		s := mishap.Statement{Actions: need.actions, Conditions: need.when}
		for _, in := range all {
			on := need.on
			if on == "" {
				on = a.arnOf(in)
			}
			if on = fill(on, in.Target.Where.Account, in.Target.Where.Region, "*"); !slices.Contains(s.Resources, on) {
				s.Resources = append(s.Resources, on)
			}
		}
		out = append(out, s)
	}
	return out
}

// allows are the statements as a fault has them.
func allows(all []mishap.Statement) (out []allow) {
	for _, s := range all {
		for _, on := range s.Resources {
			out = append(out, allow{actions: s.Actions, on: on, when: s.Conditions})
		}
	}
	return out
}
