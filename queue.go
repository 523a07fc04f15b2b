package mishap

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Waiting is an experiment whose time has come and that has not begun: it is
// being planned, or something that ends by itself is in its way. Whoever has
// waited longest goes first, over all servers of a ledger.
type Waiting struct {
	Experiment string    `json:"experiment"`
	Since      time.Time `json:"since"`           // when the oldest of its times was due that it did not get
	Wants      []string  `json:"wants,omitempty"` // what keeps it, or what it takes; see the functions below
	Why        string    `json:"why,omitempty"`   // one sentence; empty while it is being planned
}

// WantsRun is one of the runs that the governor allows at once.
const WantsRun = "run"

// WantsGroup is the turn of an experiment's group.
func WantsGroup(group string) string { return "group " + group }

// WantsPlace is a share of what may be touched in one place.
func WantsPlace(place string) string { return "place " + place }

// Before reports whether it has waited longer than another one.
func (w Waiting) Before(other Waiting) bool {
	if !w.Since.Equal(other.Since) {
		return w.Since.Before(other.Since)
	}
	return w.Experiment < other.Experiment
}

// ahead lists who waits for a thing and has waited longer than the experiment,
// in their order. One that is not in the queue comes last.
func (f Facts) ahead(experiment, wants string) []Waiting {
	own := Waiting{Experiment: experiment, Since: f.Now}
	for _, w := range f.Queue {
		if w.Experiment == experiment {
			own = w
		}
	}
	var all []Waiting
	for _, w := range f.Queue {
		if w.Experiment != experiment && slices.Contains(w.Wants, wants) && w.Before(own) {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b Waiting) int {
		if a.Before(b) {
			return -1
		}
		return 1
	})
	return all
}

// inTurn names the first few who wait.
func inTurn(all []Waiting) string {
	const most = 3
	var words []string
	for i, w := range all {
		if i == most {
			words = append(words, fmt.Sprintf("%d more", len(all)-most))
			break
		}
		words = append(words, fmt.Sprintf("%s since %s", w.Experiment, w.Since.UTC().Format("2006-01-02 15:04:05 MST")))
	}
	return strings.Join(words, ", ")
}
