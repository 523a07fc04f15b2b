package config

import "slices"

// Role is what somebody may do over the API; each may do what those before may.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // read
	Operator Role = "operator" // start, abort, halt, refresh
	Approver Role = "approver" // approve plans of others
	Admin    Role = "admin"    // resume, unlock, read the audit
)

func roles() []Role { return []Role{Viewer, Operator, Approver, Admin} }

func roleNames() (names []string) {
	for _, r := range roles() {
		names = append(names, string(r))
	}
	return names
}

// May reports whether the role lets somebody do what needs another.
func (r Role) May(needed Role) bool {
	return slices.Index(roles(), r) >= slices.Index(roles(), needed)
}

// Role is the highest that values of the claim give, and the value that does;
// empty if none does.
func (o OIDC) Role(values ...string) (highest Role, by string) {
	for role, giving := range o.Roles {
		given := slices.IndexFunc(values, func(v string) bool { return slices.Contains(giving, v) })
		if given >= 0 && Role(role).May(highest) {
			highest, by = Role(role), values[given]
		}
	}
	return highest, by
}
