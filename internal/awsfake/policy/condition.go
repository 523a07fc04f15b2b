package policy

import (
	"slices"
	"strings"
	"time"
)

// operators say whether a value of a request is as a condition has it.
func operators() map[string]func(is, want string) bool {
	equal := func(is, want string) bool { return is == want }
	like := func(is, want string) bool { return Like(want, is) }
	return map[string]func(is, want string) bool{
		"StringEquals": equal, "StringNotEquals": equal,
		"StringEqualsIgnoreCase": strings.EqualFold, "StringNotEqualsIgnoreCase": strings.EqualFold,
		"StringLike": like, "StringNotLike": like,
		"ArnEquals": like, "ArnLike": like, "ArnNotEquals": like, "ArnNotLike": like,
		"Bool":                  strings.EqualFold,
		"DateLessThan":          dates(func(is, want time.Time) bool { return is.Before(want) }),
		"DateGreaterThan":       dates(func(is, want time.Time) bool { return is.After(want) }),
		"DateLessThanEquals":    dates(func(is, want time.Time) bool { return !is.After(want) }),
		"DateGreaterThanEquals": dates(func(is, want time.Time) bool { return !is.Before(want) }),
	}
}

func dates(compare func(is, want time.Time) bool) func(is, want string) bool {
	return func(is, want string) bool {
		x, err := time.Parse(time.RFC3339, is)
		y, bad := time.Parse(time.RFC3339, want)
		return err == nil && bad == nil && compare(x, y)
	}
}

// parts of an operator: the plain one, what it is for several values, and
// whether a key that is missing fits.
func parts(operator string) (plain, quantifier string, ifExists bool) {
	if q, rest, found := strings.Cut(operator, ":"); found {
		operator, quantifier = rest, q
	}
	plain, ifExists = strings.CutSuffix(operator, "IfExists")
	return plain, quantifier, ifExists
}

func known(operator string) bool {
	plain, quantifier, _ := parts(operator)
	return (plain == "Null" || operators()[plain] != nil) && slices.Contains([]string{"", "ForAllValues", "ForAnyValue"}, quantifier)
}

// holds says whether all conditions do.
func (s Statement) holds(r Request) bool {
	for operator, keys := range s.Condition {
		for key, want := range keys {
			if !condition(operator, r.values(key), want) {
				return false
			}
		}
	}
	return true
}

// values are those of a condition key, whose name has no case.
func (r Request) values(key string) []string {
	if strings.EqualFold(key, "aws:CurrentTime") {
		return []string{r.Time.UTC().Format(time.RFC3339Nano)}
	}
	for name, values := range r.Context {
		if strings.EqualFold(name, key) {
			return values
		}
	}
	return nil
}

func condition(operator string, is []string, want texts) bool {
	plain, quantifier, ifExists := parts(operator)
	if plain == "Null" {
		return (len(is) == 0) == (want[0] == "true")
	}
	negated := strings.Contains(plain, "Not")
	fits := func(one string) bool {
		return slices.ContainsFunc(want, func(w string) bool { return operators()[plain](one, w) }) != negated
	}
	switch {
	case len(is) == 0:
		return ifExists || negated || quantifier == "ForAllValues"
	case quantifier == "ForAllValues":
		return !slices.ContainsFunc(is, func(one string) bool { return !fits(one) })
	default:
		return slices.ContainsFunc(is, fits)
	}
}
