package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mishap"
)

// Percent writes a share with as many digits as are needed to see what is
// missing to all or none.
func Percent(share float64) string {
	digits := 0
	switch away := math.Min(math.Abs(share), math.Abs(1-share)); {
	case away == 0:
	case away < 0.0001:
		digits = 4
	case away < 0.1:
		digits = 2
	case away < 1:
		digits = 1
	}
	return strconv.FormatFloat(share*100, 'f', digits, 64) + " %"
}

// Proof writes a proof from 0 to 1; all of it is only said when it is there.
func Proof(p float64) string {
	switch {
	case math.IsNaN(p) || p <= 0:
		return "0 %"
	case p >= 1:
		return "100 %"
	}
	return fmt.Sprintf("%d %%", int(p*100))
}

// Short is a number that was estimated, with as many digits as that deserves.
func Short(v float64) string {
	digits := 2
	switch a := math.Abs(v); {
	case math.IsNaN(v) || a >= 1e9:
		return "?"
	case a >= 9.95:
		digits = 0
	case a >= 0.995 || a < 0.005:
		digits = 1
	}
	return strings.TrimSuffix(strings.TrimSuffix(strconv.FormatFloat(v, 'f', digits, 64), ".00"), ".0")
}

// Side writes how far a value lies from none, and on which side: "0.40 pp more".
func Side(v float64, unit, more, less string) string {
	if v < 0 {
		return Short(-v) + unit + " " + less
	}
	return Short(v) + unit + " " + more
}

// Sides writes the two ends of an interval, the lower first, and the word once
// if both lie on one side.
func Sides(low, high float64, unit, more, less string) string {
	switch {
	case low >= 0 && high >= 0:
		return Short(low) + " to " + Side(high, unit, more, less)
	case low < 0 && high < 0:
		return Short(-high) + " to " + Side(low, unit, more, less)
	}
	return Side(low, unit, more, less) + " to " + Side(high, unit, more, less)
}

// Money is an amount with two decimals.
func Money(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "?"
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Rate is a number per second.
func Rate(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// Size writes a number of bytes.
func Size(n int64) string {
	switch {
	case n < 10_000:
		return mishap.Plural(n, "byte")
	case n < 1_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
