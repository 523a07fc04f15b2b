package probes

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// comparison is an operator and a number: "<= 2s", "> 0.99", "< 5%", "= 3". A
// number alone means equality. Durations compare in seconds, shares as parts of
// one.
type comparison struct {
	op    string
	bound float64
	text  string // as written
	unit  string // "duration", "share" or ""
}

// operators, the longer ones first.
func operators() []string { return []string{"<=", ">=", "!=", "==", "<", ">", "="} }

// UnmarshalText reads a comparison.
func (c *comparison) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	*c = comparison{op: "=", text: s}
	rest := s
	for _, op := range operators() {
		if after, ok := strings.CutPrefix(s, op); ok {
			c.op, rest = op, strings.TrimSpace(after)
			break
		}
	}
	return c.number(rest)
}

func (c *comparison) number(s string) error {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		c.bound, c.unit = v/100, "share"
		return c.refuse(v, err)
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		c.bound = v
		return c.refuse(v, nil)
	}
	d, err := time.ParseDuration(s)
	c.bound, c.unit = d.Seconds(), "duration"
	return c.refuse(c.bound, err)
}

func (c *comparison) refuse(v float64, err error) error {
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is not a comparison; write it like \"<= 2s\", \"> 0.99\" or \"< 5%%\"", c.text)
	}
	return nil
}

// UnmarshalJSON takes a bare number too: 3 means "= 3".
func (c *comparison) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		var n json.Number
		if json.Unmarshal(data, &n) != nil {
			return fmt.Errorf("must be a comparison like \"<= 2s\" or \"> 0.99\"")
		}
		s = n.String()
	}
	return c.UnmarshalText([]byte(s))
}

// MarshalText writes the comparison as it was written.
func (c comparison) MarshalText() ([]byte, error) { return []byte(c.text), nil }

// set reports whether there is anything to compare.
func (c comparison) set() bool { return c.op != "" }

// holds compares v, in seconds if it is a duration. NaN holds for nothing.
func (c comparison) holds(v float64) bool {
	switch c.op {
	case "<=":
		return v <= c.bound
	case ">=":
		return v >= c.bound
	case "<":
		return v < c.bound
	case ">":
		return v > c.bound
	case "!=":
		return v < c.bound || v > c.bound
	default:
		return v == c.bound
	}
}

// latency checks how long something took; empty means that it holds.
func (c comparison) latency(took time.Duration) string {
	if !c.set() || c.holds(took.Seconds()) {
		return ""
	}
	return fmt.Sprintf("took %s, expected %s", short(took), c.text)
}

// mustBeTime refuses a bound that is not a duration.
func (c comparison) mustBeTime(path string) error {
	if c.set() && c.unit != "duration" {
		return wrong(path, "%q has no unit of time; write it like \"<= 2s\"", c.text)
	}
	return nil
}

// short rounds to what a person reads: three digits.
func short(d time.Duration) time.Duration {
	for unit := time.Nanosecond; unit <= time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Second)
}
