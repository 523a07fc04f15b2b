package probes

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mishap"
)

// Unit is what the limit of a [Comparison] counts.
type Unit string

// The units that a comparison can be written in.
const (
	Plain   Unit = "number"
	Percent Unit = "percentage" // the limit is a part of one: "5%" is 0.05
	Time    Unit = "duration"   // the limit is in seconds
)

// Comparison is a limit for a measured number: an operator and a number, a
// percentage or a duration, such as "<= 2s", ">= 10" or "< 5%".
type Comparison struct {
	Op    string // one of < <= > >= = !=
	Limit mishap.Number
	Unit  Unit

	text string // the limit as it was written
}

// operators in the order in which they are tried: longer before shorter.
const operators = "<= >= != < > ="

// ParseComparison reads a comparison. A number without an operator is refused,
// because it is not clear which side of it is good. Problems carry a hint.
func ParseComparison(text string) (Comparison, error) {
	text = strings.TrimSpace(text)
	c := Comparison{}
	for _, op := range strings.Fields(operators) {
		if rest, ok := strings.CutPrefix(text, op); ok {
			c.Op, c.text = op, strings.TrimSpace(rest)
			break
		}
	}
	switch {
	case text == "":
		return Comparison{}, comparisonError("an empty text is not a comparison")
	case c.Op == "":
		return Comparison{}, comparisonError(fmt.Sprintf("%q does not begin with an operator", text))
	case c.text == "":
		return Comparison{}, comparisonError(fmt.Sprintf("%q has no number after %s", text, c.Op))
	case strings.ContainsAny(c.text[:1], "<>=!"):
		return Comparison{}, comparisonError(fmt.Sprintf("%q has an unknown operator", text))
	}
	var ok bool
	if c.Limit, c.Unit, ok = quantity(c.text); !ok {
		return Comparison{}, comparisonError(fmt.Sprintf("%q is not a number, a percentage or a duration", c.text))
	}
	return c, nil
}

func comparisonError(msg string) error {
	return mishap.WithHint(errors.New(msg), `write it like "<= 2s", ">= 10", "< 5%" or "= 3"; the operators are < <= > >= = !=`)
}

// quantity reads a finite number with its unit.
func quantity(text string) (mishap.Number, Unit, bool) {
	if number, ok := strings.CutSuffix(text, "%"); ok {
		v, err := mishap.ParseNumber(strings.TrimSpace(number))
		return v.Per(100), Percent, err == nil
	}
	if v, err := mishap.ParseNumber(text); err == nil {
		return v, Plain, true
	}
	if d, err := time.ParseDuration(text); err == nil {
		v, err := mishap.ParseNumber(strconv.FormatInt(d.Nanoseconds(), 10))
		return v.Per(int64(time.Second)), Time, err == nil
	}
	return mishap.Number{}, "", false
}

// Holds reports whether v is within the limit; v is in seconds where the limit
// is a duration. NaN is within no limit, not even "!=".
func (c Comparison) Holds(v float64) bool {
	n, err := mishap.NumberOf(v)
	return err == nil && c.HoldsFor(n)
}

// HoldsFor reports whether exactly n is within the limit.
func (c Comparison) HoldsFor(n mishap.Number) bool {
	order := n.Cmp(c.Limit)
	switch c.Op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "=":
		return order == 0
	case "!=":
		return order != 0
	default:
		return false
	}
}

// String returns the comparison as it was written, with one space.
func (c Comparison) String() string { return c.Op + " " + c.text }

// expectComparison reads the comparison at path; nil is no expectation. Units
// other than those listed are refused.
func expectComparison[T ~string](path string, text *T, units ...Unit) (*Comparison, error) {
	if text == nil {
		return nil, nil
	}
	c, err := ParseComparison(string(*text))
	if err != nil {
		return nil, fieldError(path, err)
	}
	if !slices.Contains(units, c.Unit) {
		hint := `write it like ">= 10" or "< 5%"`
		if slices.Contains(units, Time) {
			hint = `write it like "<= 2s"`
		}
		return nil, &mishap.FieldError{Path: path, Msg: fmt.Sprintf("%q compares with a %s", *text, c.Unit), Hint: hint}
	}
	return &c, nil
}

// expectLatency reads a comparison with a span of time; nil is no expectation.
func expectLatency(text *comparedTime) (*Comparison, error) {
	const path = "expect.latency"
	c, err := expectComparison(path, text, Time)
	if c != nil && c.Limit.Cmp(mishap.Number{}) < 0 {
		return nil, &mishap.FieldError{Path: path, Msg: fmt.Sprintf("%q is negative; a duration counts forward", *text)}
	}
	return c, err
}

// fieldError makes a problem of the value at path, and keeps its hint.
func fieldError(path string, err error) *mishap.FieldError {
	problem := &mishap.FieldError{Path: path, Msg: err.Error()}
	if hinted := new(mishap.Hinted); errors.As(err, &hinted) {
		problem.Hint = hinted.Hint
	}
	return problem
}

// written is a value as JSON, for messages.
func written(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
