// Package policy judges policies as IAM does, as far as faults need it.
package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Request is what somebody wants to do.
type Request struct {
	Action, Resource string
	Principals       []string            // every name of who asks
	Context          map[string][]string // by condition key
	Time             time.Time
}

// Decision is what a policy says to a request.
type Decision int

// What a policy may say.
const (
	Silent Decision = iota
	Allows
	Denies
)

// Statement is one of a policy.
type Statement struct {
	Sid, Effect                              string
	Principal, NotPrincipal                  principals
	Action, NotAction, Resource, NotResource texts
	Condition                                map[string]map[string]texts
}

// Policy is a document of statements.
type Policy struct {
	Version   string
	Statement statements
}

// Parse reads a policy.
func Parse(text string) (Policy, error) {
	var p Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, fmt.Errorf("read policy: %w", err)
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action)+len(s.NotAction) == 0 {
			return p, fmt.Errorf("read policy: statement %q has no effect or no action", s.Sid)
		}
		for operator := range s.Condition {
			if !known(operator) {
				return p, fmt.Errorf("read policy: condition operator %q is not known", operator)
			}
		}
	}
	return p, nil
}

// read are the statements of policies that were read: most are asked all the time.
var read = struct { //nolint:gochecknoglobals // what was read stays what it is
	sync.Mutex
	policies map[string]statements
}{policies: map[string]statements{}}

// parsed are the statements of a policy; none if it cannot be read.
func parsed(text string) statements {
	read.Lock()
	defer read.Unlock()
	all, is := read.policies[text]
	if is {
		return all
	}
	if p, err := Parse(text); err == nil {
		all = p.Statement
	}
	if len(read.policies) >= 1000 {
		clear(read.policies)
	}
	read.policies[text] = all
	return all
}

// Judge says what the policies say together: a denial counts most. One that
// cannot be read says nothing.
func Judge(r Request, policies ...string) Decision {
	said := Silent
	for _, text := range policies {
		for _, s := range parsed(text) {
			switch {
			case !s.covers(r):
			case s.Effect == "Deny":
				return Denies
			default:
				said = Allows
			}
		}
	}
	return said
}

// Missing are the condition keys of the statements on the action and the resource
// that the request does not tell, as the policy simulator lists them.
func Missing(r Request, policies ...string) (keys []string) {
	for _, text := range policies {
		for _, s := range parsed(text) {
			if !s.concerns(r.Principals) || !s.on(r) {
				continue
			}
			for _, conditions := range s.Condition {
				for key := range conditions {
					if r.values(key) == nil && !slices.Contains(keys, key) {
						keys = append(keys, key)
					}
				}
			}
		}
	}
	slices.Sort(keys)
	return keys
}

func (s Statement) covers(r Request) bool {
	return s.on(r) && s.concerns(r.Principals) && s.holds(r)
}

// on says whether the statement is about the action on the resource.
func (s Statement) on(r Request) bool {
	return covered(s.Action, s.NotAction, strings.ToLower(r.Action), strings.ToLower) &&
		(len(s.Resource)+len(s.NotResource) == 0 || covered(s.Resource, s.NotResource, r.Resource, same))
}

func same(s string) string { return s }

func covered(in, notIn texts, is string, fold func(string) string) bool {
	among := func(patterns texts) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return Like(fold(p), is) })
	}
	if len(notIn) > 0 {
		return !among(notIn)
	}
	return among(in)
}

// concerns says whether a statement with principals names one of them.
func (s Statement) concerns(names []string) bool {
	among := func(p principals) bool {
		return slices.ContainsFunc(p, func(name string) bool { return name == "*" || slices.Contains(names, name) })
	}
	if s.NotPrincipal != nil {
		return !among(s.NotPrincipal)
	}
	return s.Principal == nil || among(s.Principal)
}

// Like says whether the text is like the pattern, in which * is any text and ?
// any character.
func Like(pattern, text string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			for i := 0; i <= len(text); i++ {
				if Like(pattern[1:], text[i:]) {
					return true
				}
			}
			return false
		case '?':
			if text == "" {
				return false
			}
		default:
			if text == "" || text[0] != pattern[0] {
				return false
			}
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// texts is one text or a list of them.
type texts []string

// UnmarshalJSON reads one or a list; truth values and numbers count as texts.
func (t *texts) UnmarshalJSON(data []byte) error {
	var list []any
	if json.Unmarshal(data, &list) != nil {
		var one any
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		list = []any{one}
	}
	for _, one := range list {
		*t = append(*t, fmt.Sprint(one))
	}
	return nil
}

type statements []Statement

// UnmarshalJSON reads one statement or a list of them.
func (s *statements) UnmarshalJSON(data []byte) error {
	var list []Statement
	if json.Unmarshal(data, &list) != nil {
		var one Statement
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		list = []Statement{one}
	}
	*s = list
	return nil
}

type principals []string

// UnmarshalJSON reads "*" or lists by kind of principal.
func (p *principals) UnmarshalJSON(data []byte) error {
	var byKind map[string]texts
	if json.Unmarshal(data, &byKind) != nil {
		var all texts
		err := json.Unmarshal(data, &all)
		*p = principals(all)
		return err
	}
	*p = principals{}
	for _, names := range byKind {
		*p = append(*p, names...)
	}
	return nil
}
