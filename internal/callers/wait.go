package callers

import (
	"slices"
	"time"

	"mishap"
)

// Wait is a duration after which callers gave up again and again: a timeout.
type Wait struct {
	N      int             `json:"n"`
	Median mishap.Duration `json:"median"`
	Min    mishap.Duration `json:"min"`
	Max    mishap.Duration `json:"max"`
}

// Timeout says how long callers wait for an answer.
type Timeout struct {
	GaveUp  int             `json:"gaveUp"`          // attempts that were left before they were answered
	Waits   []Wait          `json:"waits,omitempty"` // most common first
	Longest mishap.Duration `json:"longest"`         // that anybody waited, answered or not
}

const (
	waitMembers = 5
	maxWaits    = 4
)

// timeout groups the durations after which callers left: a new group begins where the next is longer by 15 % and 10 ms.
// A group that has few members is no timeout but somebody who left.
func timeout(attempts []Attempt) Timeout {
	var t Timeout
	var left []time.Duration
	for _, a := range attempts {
		waited := a.answered() - a.Start
		t.Longest = max(t.Longest, mishap.Duration(waited))
		if a.Outcome == GaveUp {
			left = append(left, waited)
		}
	}
	t.GaveUp = len(left)
	slices.Sort(left)
	for from := 0; from < len(left); {
		to := from + 1
		for to < len(left) && left[to] <= left[to-1]+left[to-1]*15/100+10*time.Millisecond {
			to++
		}
		if to-from >= waitMembers {
			t.Waits = append(t.Waits, Wait{to - from, mishap.Duration(left[(from+to)/2]), mishap.Duration(left[from]),
				mishap.Duration(left[to-1])})
		}
		from = to
	}
	slices.SortStableFunc(t.Waits, func(a, b Wait) int { return b.N - a.N })
	t.Waits = t.Waits[:min(len(t.Waits), maxWaits)]
	return t
}
