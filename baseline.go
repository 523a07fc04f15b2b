package mishap

import (
	"fmt"
	"strings"
	"time"
)

// BaselineTime is how long the arms are watched before any fault: a time, or as long
// as the comparison needs, which is written "auto".
type BaselineTime struct {
	Auto bool
	Time Duration // with Auto: at most; else exactly
}

// What `auto` is, at least and at most.
const (
	ShortestAuto = Duration(time.Minute)
	LongestAuto  = Duration(15 * time.Minute)
)

// AutoBaseline is the default.
func AutoBaseline() BaselineTime { return BaselineTime{Auto: true, Time: LongestAuto} }

// AtLeast is the shortest that it is.
func (b BaselineTime) AtLeast() time.Duration {
	if b.Auto {
		return min(ShortestAuto, b.Time).Std()
	}
	return b.Time.Std()
}

// AtMost is the longest that it is.
func (b BaselineTime) AtMost() time.Duration { return b.Time.Std() }

const upTo = "up to "

// String is the baseline as files write it: "60s", "auto", "auto up to 30m".
func (b BaselineTime) String() string {
	switch {
	case !b.Auto:
		return b.Time.String()
	case b.Time == LongestAuto:
		return "auto"
	}
	return "auto " + upTo + b.Time.String()
}

// Form is what errors show of how it is written.
func (BaselineTime) Form() (name, example string) { return "auto, or a time", "60s" }

// MarshalText writes b as [BaselineTime.String] does.
func (b BaselineTime) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what [BaselineTime.String] writes.
func (b *BaselineTime) UnmarshalText(text []byte) error {
	words, auto := strings.CutPrefix(strings.TrimSpace(string(text)), "auto")
	*b = BaselineTime{Auto: auto, Time: LongestAuto}
	if words = strings.TrimSpace(words); auto && words == "" {
		return nil
	}
	if auto {
		rest, ok := strings.CutPrefix(words, upTo)
		if !ok {
			return fmt.Errorf("%q is not a baseline; write auto, auto up to 30m, or a time such as 60s", text)
		}
		words = strings.TrimSpace(rest)
	}
	if err := b.Time.UnmarshalText([]byte(words)); err != nil {
		return fmt.Errorf("%q is not a baseline; write auto, auto up to 30m, or a time such as 60s", text)
	}
	return nil
}
