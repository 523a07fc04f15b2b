package mishap

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Waiting is an experiment whose time has come and that has not begun: it is
// being planned, or something that ends by itself is in its way. Whoever has
// waited longest since its last turn goes first, over all servers of a ledger: so
// nobody waits for more than one run of each other.
type Waiting struct {
	Experiment string    `json:"experiment"`
	Since      time.Time `json:"since"`           // when the oldest of its times was due that it did not get
	Turn       time.Time `json:"turn,omitzero"`   // when it began last; zero: never
	Wants      []string  `json:"wants,omitempty"` // what keeps it, or what it takes; see the functions below
	Why        string    `json:"why,omitempty"`   // one sentence; empty while it is being planned
}

// WantsRun is one of the runs that the governor allows at once.
const WantsRun = "run"

// WantsGroup is the turn of an experiment's group.
func WantsGroup(group string) string { return "group " + group }

// WantsPlace is a share of what may be touched in one place.
func WantsPlace(place string) string { return "place " + place }

// Compare is negative if it has waited longer than another one.
func (w Waiting) Compare(other Waiting) int {
	return cmp.Or(w.Turn.Compare(other.Turn), w.Since.Compare(other.Since), cmp.Compare(w.Experiment, other.Experiment))
}

// ahead lists who waits for a thing and has waited longer than the experiment,
// in their order. One that is not in the queue comes last.
func (f Facts) ahead(experiment, wants string) []Waiting {
	own := Waiting{Experiment: experiment, Since: f.Now, Turn: f.Now}
	for _, w := range f.Queue {
		if w.Experiment == experiment {
			own = w
		}
	}
	var all []Waiting
	for _, w := range f.Queue {
		if w.Experiment != experiment && slices.Contains(w.Wants, wants) && w.Compare(own) < 0 {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, Waiting.Compare)
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
		words = append(words, fmt.Sprintf("%s since %s", w.Experiment, Moment(w.Since)))
	}
	return strings.Join(words, ", ")
}
