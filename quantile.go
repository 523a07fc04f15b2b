package mishap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Quantile is a quantile by name: p99 is what 99 of 100 answers are not slower
// than. Its value is between 0 and 1.
type Quantile float64

// DefaultQuantiles are those that a latency is compared by.
func DefaultQuantiles() []Quantile { return []Quantile{0.5, 0.9, 0.99} }

// String is the name: p50, p99.9.
func (q Quantile) String() string {
	return "p" + strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(100*float64(q), 'f', 6, 64), "0"), ".")
}

// Form is what errors show of how it is written.
func (Quantile) Form() (name, example string) { return "a quantile", "p99" }

// MarshalText writes q as [Quantile.String] does.
func (q Quantile) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText reads a name from p1 to p99.999.
func (q *Quantile) UnmarshalText(text []byte) error {
	number, named := strings.CutPrefix(strings.TrimSpace(string(text)), "p")
	n, err := ParseNumber(number)
	if v := math.Round(n.Float()*1e6) / 1e8; named && err == nil && v >= 0.01 && v <= 0.99999 {
		*q = Quantile(v)
		return nil
	}
	return fmt.Errorf("%q is not a quantile from p1 to p99.999, such as p50 or p99.9", text)
}
