package fault

import (
	"fmt"
	"slices"

	"mishap/internal/forward"
	"mishap/internal/slots"
)

// Counts says what is counted of the units of both arms, in slots: no unit is stored.
type Counts struct {
	// Success says what of an answer is a success. Nil: what is no error of the server.
	Success *Success   `json:"success,omitempty"`
	Rows    []CountRow `json:"rows"`
	// Exposed says that rows are of the requests that met the fault, or in control would have, as the run tells (Meeting).
	// Requests get ids for that. Beside each row is then one of all requests, with All behind its name.
	Exposed bool `json:"exposed,omitempty"`
}

// CountRow is one thing that is counted.
type CountRow struct {
	Name string `json:"name"`
	// Of is "failures" of requests; "refused", which have an answer of 4xx, or of gRPC that is neither OK nor a failure, where
	// Success does not say what these are; "moved", which were redirected; "cut", whose answer began as a success and was not
	// whole within patience; "late", which had no answer within patience and may have been served after it; "sealed", whose
	// answer was a success by its status and could not be looked at; "slow", which are the successes that took longer than a threshold that is told later; or "events",
	// which are the successes of a unit.
	Of     string `json:"of"`
	Path   Text   `json:"path,omitempty"`   // only of such requests
	Method string `json:"method,omitempty"` // of such a method
}

// What a row can be of.
const (
	OfFailures = "failures"
	OfRefused  = "refused"
	OfMoved    = "moved"
	OfCut      = "cut"
	OfLate     = "late"
	OfSealed   = "sealed"
	OfSlow     = "slow"
	OfEvents   = "events"
)

const (
	maxRows    = 128
	maxRowName = 300 // bytes
	maxParts   = 16  // of the traffic
)

func (c *Counts) check(errs *Problems) {
	if c == nil {
		return
	}
	c.Success.check(errs)
	errs.Add(len(c.Rows) == 0 || len(c.Rows) > maxRows, "counts must have from 1 to %d rows", maxRows)
	names := map[string]bool{}
	for _, r := range c.BookRows() {
		errs.Add(r.Name == "" || len(r.Name) > maxRowName || names[r.Name], "a row has no name, a long one, or that of another: %q", r.Name)
		names[r.Name] = true
	}
	for _, r := range c.Rows {
		known := r.Of == OfFailures || r.Of == OfSlow || r.Of == OfEvents || r.whole()
		errs.Add(!known, "row %q is of %q, and not of failures, refused, moved, cut, late, sealed, slow or events", r.Name, r.Of)
	}
	parts, err := c.parts()
	errs.Add(err != nil, "%w", err)
	errs.Add(len(parts) > maxParts, "rows are confined to %d parts of the traffic, of at most %d", len(parts), maxParts)
}

// parts are the parts of the traffic that rows are confined to, by the row that is first. The zero part is all.
func (c *Counts) parts() (list []forward.Match, err error) {
	for _, r := range c.confined() {
		path, wrong := r.Path.pattern()
		if wrong != nil {
			err = fmt.Errorf("row %q: %w", r.Name, wrong)
		}
		list = append(list, forward.Match{Method: r.Method, Path: path})
	}
	return list, err
}

// confined are the first rows of each part.
func (c *Counts) confined() (list []CountRow) {
	for _, r := range c.Rows {
		if r.part() != (CountRow{}) && partOf(list, r) < 0 {
			list = append(list, r)
		}
	}
	return list
}

// whole is a row that only the whole time since the injection is asked of.
func (r CountRow) whole() bool {
	return slices.Contains([]string{OfRefused, OfMoved, OfCut, OfLate, OfSealed}, r.Of)
}

func (r CountRow) part() CountRow { return CountRow{Path: r.Path, Method: r.Method} }

// partOf is the number of a row's part among those; -1 if it is none of them.
func partOf(list []CountRow, r CountRow) int {
	for i, other := range list {
		if other.part() == r.part() {
			return i
		}
	}
	return -1
}

// Part is the number of a row's part among those that rows are confined to; -1 if the row is of all requests.
func (c *Counts) Part(r CountRow) int { return partOf(c.confined(), r) }

// Early is before the id of a request that came to a fault's proxy while no fault of its run was in force there.
const Early = "~"

// All is behind the name of a row of all requests.
const All = " all"

// BookRows are the rows of the book that counts them: those that were asked for, those of all requests, and those of
// changes.
func (c *Counts) BookRows() (rows []slots.Row) {
	for _, r := range c.Rows {
		rows = append(rows, slots.Row{Name: r.Name, PerUnit: r.Of == OfEvents, Whole: r.whole()})
	}
	if c.Exposed {
		for _, r := range c.Rows {
			rows = append(rows, slots.Row{Name: r.Name + All, PerUnit: r.Of == OfEvents, Whole: r.whole(), Beside: true})
		}
	}
	suffixes := []string{""}
	if c.Exposed {
		suffixes = append(suffixes, All)
	}
	for _, suffix := range suffixes {
		for _, r := range c.Rows {
			if r.Of == OfSlow {
				rows = append(rows, slots.Row{Name: r.Name + slots.Changed + suffix, Whole: true})
			}
		}
	}
	return rows
}
