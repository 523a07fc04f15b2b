package callers

import (
	"cmp"
	"slices"
	"time"
)

// Outcome is how an attempt ended, as far as its caller's next step depends on it.
type Outcome uint8

// The outcomes.
const (
	OK     Outcome = iota
	Failed         // an answer that callers retry: an error status, a reset, no upstream
	GaveUp         // the caller left before it had its answer
)

// Attempt is one call as the proxy saw it.
type Attempt struct {
	ID      string        // of the request that it is an attempt of; empty: not known
	Loose   bool          // the id is shared by all calls of one trace to one place, not only by attempts of one request
	Source  string        // who calls, such as an address
	Arm     string        // of a comparison; empty: none
	Start   time.Duration // since the watch began
	Head    time.Duration // until the answer began; 0: it never did
	Total   time.Duration // until the answer was there, or the caller left
	Outcome Outcome
	Status  int // 0: none
}

// end is when the attempt was over.
func (a Attempt) end() time.Duration { return a.Start + a.Total }

// answered is the earliest moment at which the caller can have known how the attempt ended.
func (a Attempt) answered() time.Duration {
	if a.Head > 0 && a.Head < a.Total {
		return a.Start + a.Head
	}
	return a.end()
}

// clean drops what cannot be, and sorts by start. The attempts that are given stay as they are.
func clean(attempts []Attempt) []Attempt {
	kept := make([]Attempt, 0, len(attempts))
	for _, a := range attempts {
		if a.Start < 0 || a.Total < 0 || a.Head < 0 || a.Start > longest || a.Total > longest {
			continue
		}
		kept = append(kept, a)
	}
	slices.SortStableFunc(kept, func(a, b Attempt) int { return cmp.Compare(a.Start, b.Start) })
	return kept
}

// longest bounds the times that are believed, so that none overflows.
const longest = 1000 * time.Hour
