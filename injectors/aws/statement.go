package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// principalARN is what aws:PrincipalArn may be like. A session of a role has the ARN
// of its role there, never its own; that of an account's root is its root user's.
const principalARN = `^arn:(aws[\w-]*|\*):` +
	`((iam|\*):\*?:` + accountLike + `:((role|user)/[\w+=,.@/*?-]+|\*[\w+=,.@/*?-]*)|sts::` + accountLike + `:federated-user/[\w+=,.@*?-]+)$`

// resourceARN is what a statement may be about.
const resourceARN = `^(\*|arn:(aws[\w-]*|\*):[a-z0-9*?-]+:[a-z0-9*?-]*:(` + accountLike + `|aws)?:\S+)$`

// accountLike is an account, or any of some.
const accountLike = `([0-9]{12}|[0-9?]*\*[0-9*?]*|[0-9?]{12})`

// statement is one of a policy that denies.
type statement struct {
	Sid       string
	Effect    string
	Principal string `json:",omitempty"`
	Action    []string
	Resource  []string
	Condition map[string]map[string]any
}

// denies is the statement of an injection. It is over at a time by AWS's own clock,
// when the fault must be, whoever is there to take it out. Role sessions have the ARN of
// their role in aws:PrincipalArn.
func denies(injection string, until time.Time, actions, resources, principals []string) statement {
	s := statement{Sid: sidOf(injection), Effect: "Deny", Action: actions, Resource: resources,
		Condition: map[string]map[string]any{"DateLessThan": {"aws:CurrentTime": until.UTC().Truncate(time.Second).Add(time.Second).Format(time.RFC3339)}}}
	if len(principals) > 0 {
		s.Condition["ArnLike"] = map[string]any{"aws:PrincipalArn": principals}
	}
	return s
}

// sidOf is how an injection's statement is found again. A Sid has letters and
// digits alone; ids of injections have no capital letters.
func sidOf(injection string) string {
	return "Mishap" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == '.':
			return 'X'
		}
		return 'Z'
	}, strings.ToLower(injection))
}

// document is a policy, of which only the list of statements is read. What is in
// it stays as it was written.
type document struct {
	fields     map[string]json.RawMessage
	statements []json.RawMessage
}

// readPolicy reads a policy; an empty text is one without any statement.
func readPolicy(text string) (d document, err error) {
	if text == "" {
		return document{fields: map[string]json.RawMessage{"Version": json.RawMessage(`"2012-10-17"`)}}, nil
	}
	if err := json.Unmarshal([]byte(text), &d.fields); err != nil {
		return d, fmt.Errorf("read policy: %w", err)
	}
	all := bytes.TrimSpace(d.fields["Statement"])
	if bytes.HasPrefix(all, []byte("{")) { // a single one needs no list
		all = slices.Concat([]byte("["), all, []byte("]"))
	}
	if err := json.Unmarshal(all, &d.statements); err != nil {
		return d, fmt.Errorf("read statements of policy: %w", err)
	}
	return d, nil
}

// without takes a statement out, and says whether it was there.
func (d *document) without(sid string) (was bool) {
	before := len(d.statements)
	d.statements = slices.DeleteFunc(d.statements, func(raw json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(raw, &s) == nil && s.Sid == sid
	})
	return len(d.statements) < before
}

// with puts a statement in, in place of one with the same Sid.
func (d *document) with(s statement) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write statement: %w", err)
	}
	d.without(s.Sid)
	d.statements = append(d.statements, raw)
	return nil
}

// text is the policy; empty if it has no statement left.
func (d *document) text() (string, error) {
	if len(d.statements) == 0 {
		return "", nil
	}
	var all [][]byte
	for _, s := range d.statements {
		all = append(all, s)
	}
	d.fields["Statement"] = slices.Concat([]byte("["), bytes.Join(all, []byte(",")), []byte("]"))
	var out bytes.Buffer
	plain := json.NewEncoder(&out)
	plain.SetEscapeHTML(false)
	if err := plain.Encode(d.fields); err != nil {
		return "", fmt.Errorf("write policy: %w", err)
	}
	return strings.TrimSpace(out.String()), nil
}
