package httpapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

const (
	sumEvery     = time.Minute
	mostListed   = 20     // refusals of one caller that the audit lists in that time; the others are counted
	mostRefused  = 1000   // callers that are told apart in that time; the others are one
	mostFrom     = 10_000 // addresses that are told apart in that time
	mostShown    = 3      // addresses that are named
	otherCallers = "other callers"
	noRole       = "callers whose tokens give no role"
)

// refusals keep whoever is refused from filling the audit, and from pushing out
// of it what others are refused. Refusals of callers who have shown no valid
// token are only counted; of the others each caller has so many that are listed,
// all whose tokens give no role together as many, and how many more there were is
// written as well.
type refusals struct {
	mu        sync.Mutex
	strangers int
	from      map[string]struct{}
	of        map[string]int // by caller
}

// lists counts a refusal, and reports whether the audit lists it by itself.
func (r *refusals) lists(who caller) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of, r.from = map[string]int{}, map[string]struct{}{}
	}
	if who.from != "" {
		r.strangers++
		if len(r.from) < mostFrom {
			r.from[who.from] = struct{}{}
		}
		return false
	}
	name := who.name
	if who.role == "" {
		name = noRole // a public provider gives tokens to anybody, in as many names as they like
	}
	if _, known := r.of[name]; !known && len(r.of) >= mostRefused {
		name = otherCallers
	}
	r.of[name]++
	return r.of[name] <= mostListed
}

// sum is what was counted and not listed, for the audit, and begins anew.
func (r *refusals) sum(now time.Time) []ledger.Act {
	r.mu.Lock()
	strangers, from, of := r.strangers, r.from, r.of
	r.strangers, r.from, r.of = 0, nil, nil
	r.mu.Unlock()
	var all []ledger.Act
	if strangers > 0 {
		all = append(all, ledger.Act{At: now, By: "anybody", What: fmt.Sprintf("refused %d without a valid token from %s", strangers, addresses(from))})
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if more := of[name] - mostListed; more > 0 {
			all = append(all, ledger.Act{At: now, By: name, What: fmt.Sprintf("refused %d more, which are not listed", more)})
		}
	}
	return all
}

func addresses(from map[string]struct{}) string {
	number := mishap.Plural(len(from), "address")
	if len(from) >= mostFrom {
		number += " or more"
	}
	some := slices.Sorted(maps.Keys(from))
	if len(some) > mostShown {
		some = append(some[:mostShown:mostShown], "…")
	}
	return number + " (" + strings.Join(some, ", ") + ")"
}
