package mishap

import (
	"fmt"
	"slices"
	"strings"
)

// Counting is what a row counts of the units of both arms.
type Counting string

// What is counted of the requests of a unit.
const (
	CountFailures Counting = "failures" // of all its requests, those that failed
	CountSlow     Counting = "slow"     // of its successes, those that took longer than a threshold
	CountEvents   Counting = "events"   // its successes, of one unit
	CountRefused  Counting = "refused"  // of all its requests, those with an answer of 4xx, or of gRPC that is neither OK nor a failure, where the file does not say what they are
	CountMoved    Counting = "moved"    // of all its requests, those that were redirected
	CountCut      Counting = "cut"      // of all its requests, those whose answer began well and was not whole within patience
	CountLate     Counting = "late"     // of all its requests, those without an answer within patience, which might have been served later
	CountSealed   Counting = "sealed"   // of all its requests, those whose answer cannot be looked at for what is a failure
)

// RowName is what a row is called by all who count it and ask for it: the
// metric's name, for a latency with its quantile.
func RowName(metric string, q Quantile) string {
	if q == 0 {
		return metric
	}
	return metric + " " + q.String()
}

// ExtremeQuantile is counted of every latency besides its quantiles: it may stop
// a run, and need not be cleared unless it is one of them.
const ExtremeQuantile Quantile = 0.999

// CountedRow is one thing that is counted of the units of both arms.
type CountedRow struct {
	Name     string   `json:"name"`
	Of       Counting `json:"of"`
	Quantile Quantile `json:"quantile,omitzero"` // of what is slow
	Clears   bool     `json:"-"`                 // it has to be within its margin for a run to hold
	Path     string   `json:"-"`                 // of a part of the requests, as its metric says
	Method   string   `json:"-"`                 //
}

// CountedRows are the rows that a metric is decided by, in their order: one, or
// of a latency one for each of its quantiles, and one for the extreme. A gauge
// has none.
func (m CompareMetric) CountedRows() (rows []CountedRow) {
	switch m.Metric {
	case SuccessRate:
		return []CountedRow{{Name: m.Name, Of: CountFailures, Clears: m.Guarded()}}
	case EventRate:
		return []CountedRow{{Name: m.Name, Of: CountEvents, Clears: m.Guarded()}}
	case Latency:
	default:
		return nil
	}
	quantiles := slices.Clone(m.Quantiles)
	if len(quantiles) == 0 {
		quantiles = DefaultQuantiles()
	}
	for _, q := range quantiles {
		rows = append(rows, CountedRow{Name: RowName(m.Name, q), Of: CountSlow, Quantile: q, Clears: m.Guarded()})
	}
	if !slices.Contains(quantiles, ExtremeQuantile) {
		rows = append(rows, CountedRow{Name: RowName(m.Name, ExtremeQuantile), Of: CountSlow, Quantile: ExtremeQuantile})
	}
	return rows
}

// Unweighed are the rows that no metric decides by, and beside which nothing is
// held if the arms differ in them: answers that the file calls neither successes
// nor failures, those that were cut, and failures where no metric has to clear
// them; and those of which nobody sees what becomes, beside which nothing is held
// if they are many in either. They are of each part of the requests that metrics are confined to.
func (c Compare) Unweighed() (rows []CountedRow) {
	for i, m := range c.Metrics {
		path, method := m.Path, m.Method
		if slices.ContainsFunc(c.Metrics[:i], func(other CompareMetric) bool { return other.Path == path && other.Method == method }) {
			continue
		}
		of := []Counting{CountCut, CountRefused, CountLate}
		if c.Success.LooksAtBodies() {
			of = append(of, CountSealed)
		}
		if c.Success == nil || c.Success.Status.IsZero() {
			of = append(of, CountMoved)
		}
		if !c.clearsFailures(path, method) {
			of = append(of, CountFailures)
		}
		for _, what := range of {
			name := strings.TrimSuffix(fmt.Sprintf("%s of no metric %s", what, strings.TrimSpace(method+" "+path)), " ")
			rows = append(rows, CountedRow{Name: name, Of: what, Path: path, Method: method})
		}
	}
	return rows
}

// clearsFailures reports whether a success rate of that part of the requests, or
// of all, has to be within its margin.
func (c Compare) clearsFailures(path, method string) bool {
	return slices.ContainsFunc(c.Metrics, func(m CompareMetric) bool {
		why, _ := c.Arms.Undecided(m)
		return why == "" && m.Metric == SuccessRate && m.Guarded() && (m.Path == "" || m.Path == path) && (m.Method == "" || m.Method == method)
	})
}
