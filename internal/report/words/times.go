package words

import (
	"fmt"
	"math"
	"time"

	"mishap"
)

// Took is a span as people read it: about three digits.
func Took(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Took(-max(d, -math.MaxInt64))
	case d >= time.Minute:
		return mishap.Duration(d.Round(time.Second)).String()
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// Between is the time from a to b by the wall clock: a journal keeps no other,
// and the report must be the same with and without it.
func Between(a, b time.Time) time.Duration { return b.Round(0).Sub(a.Round(0)) }

// Clock is a time of day.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// Moment is a date and time of day.
func Moment(t time.Time) string { return mishap.Moment(t) }

// Quick is a latency with three digits.
func Quick(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%dms", d.Round(time.Millisecond).Milliseconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3gms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3gµs", float64(d)/float64(time.Microsecond))
}
