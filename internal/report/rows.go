package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/report/words"
)

// Row is a row of a look, and how it is said.
type Row struct{ mishap.Row }

// fine is a number with three digits, and its sign.
func fine(v float64) string {
	digits := 2
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "?"
	case a >= 99.5:
		digits = 0
	case a >= 9.95:
		digits = 1
	}
	text := fmt.Sprintf("%.*f", digits, math.Abs(v))
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	switch {
	case text == "0":
		return text
	case v < 0:
		return "−" + text
	}
	return "+" + text
}

// Scaled is a value of a row in the unit that is shown, and that unit.
func (r Row) Scaled(v float64) (float64, string) {
	if r.Ratio {
		return 100 * (v - 1), " %"
	}
	return 100 * v, " pp"
}

// Estimate is that of how much more there is in the experiment.
func (r Row) Estimate() string {
	v, unit := r.Scaled(r.More.Estimate)
	return fine(v) + unit
}

// Ends is the interval of a row, in the unit of its estimate.
func (r Row) Ends() string {
	low, _ := r.Scaled(r.More.Low)
	high, _ := r.Scaled(r.More.High)
	margin, _ := r.Scaled(r.Margin)
	return fmt.Sprintf("[%s, %s]", apartFrom(low, margin), apartFrom(high, margin))
}

// tooFew is said where an interval holds everything that there can be: it says nothing.
const tooFew = "too few to tell"

// Blank reports whether the interval of a row says nothing yet.
func (r Row) Blank() bool {
	if r.Ratio {
		return r.More.Low <= 0 && r.More.High >= 1e6 // which stands for "without a bound"
	}
	return r.More.Low <= -1 && r.More.High >= 1
}

// Range is the estimate of a row and its interval; in words, if that says nothing yet.
func (r Row) Range() string {
	if r.Blank() {
		return tooFew
	}
	return r.Estimate() + " " + r.Ends()
}

// apartFrom is an end, with so many digits that it does not seem to be the margin.
func apartFrom(v, margin float64) string {
	text := fine(v)
	if text == fine(margin) && v != margin {
		step := math.Pow(10, math.Floor(math.Log10(math.Max(math.Abs(margin), 0.01)))-2)
		if v < margin {
			return fine(math.Floor(v/step) * step)
		}
		return fine(math.Ceil(v/step) * step)
	}
	return text
}

// Limit is the margin of a row, in the unit of its estimate.
func (r Row) Limit() string {
	v, unit := r.Scaled(r.Margin)
	return strings.TrimPrefix(fine(v), "+") + unit
}

// Standing is where the interval of a row lies, in words.
func (r Row) Standing() string {
	switch {
	case r.State == mishap.Open && r.Shown:
		return "harm is shown, but not yet that it is beyond the margin"
	case r.State == mishap.Open && r.Blank():
		return "not yet known"
	case r.State == mishap.Open:
		return "open"
	case r.State == mishap.NoLimit:
		return "stops only"
	}
	return string(r.State)
}

// Name is what a row is of.
func (r Row) Name() string {
	name := r.What
	if r.Metric != "" && r.Metric != string(mishap.SuccessRate) && r.Metric != string(mishap.Latency) {
		name = r.Metric + ", " + r.What
	}
	if r.Of != "" {
		name += ", " + r.Of
	}
	if !r.Since.IsZero() {
		name += ", since " + words.Clock(r.Since)
	}
	return name
}

// had is what one arm had in a row: "31 % of 4,458 took more than 72ms".
func (r Row) had(a mishap.RowArm) string {
	switch {
	case a.Of == 0:
		return "nothing"
	case r.What == "events":
		return fmt.Sprintf("%s of %s", mishap.Thousands(a.Bad), mishap.Plural(a.Of, "unit"))
	case a.Slow > 0:
		return fmt.Sprintf("%s of %s took more than %s", words.Percent(float64(a.Bad)/float64(a.Of)), mishap.Thousands(a.Of), words.Quick(a.Slow.Std()))
	}
	return fmt.Sprintf("%s of %s", words.Percent(float64(a.Bad)/float64(a.Of)), mishap.Thousands(a.Of))
}

// Counted is what both arms had in a row.
func (r Row) Counted() string {
	return r.had(r.Experiment) + "; in control " + r.had(r.Control)
}

// Spoken is a row in one phrase.
func (r Row) Spoken() string {
	return fmt.Sprintf("%s: %s, margin %s", r.Name(), r.Range(), r.Limit())
}

// guarded is a guard in one phrase.
func guarded(g mishap.Guard) string {
	if g.Rate {
		return fmt.Sprintf("%s %s a second (at most %s)", Row{mishap.Row{Metric: g.Metric, What: g.What}}.Name(), fine(g.More.Estimate), fine(g.More.High))
	}
	r := Row{mishap.Row{Metric: g.Metric, What: g.What}}
	if strings.HasPrefix(g.What, "slower") { // its limit since the injection is another than before
		words := map[mishap.RowState]string{mishap.Within: "as before", mishap.Beyond: "more than before", mishap.Open: "not shown to be as before"}
		return r.Name() + " " + words[g.State]
	}
	v, unit := r.Scaled(g.More.Estimate)
	high, _ := r.Scaled(g.More.High)
	if high >= 100 && !r.Ratio {
		return r.Name() + " " + tooFew
	}
	return fmt.Sprintf("%s %s%s (at most %s)", r.Name(), fine(v), unit, fine(high))
}

// Met says how many requests met the fault; empty if nobody knows.
func Met(i *mishap.Intervals) string {
	if i.Met == nil || i.Requests == nil {
		return ""
	}
	return fmt.Sprintf("the fault met %s of %s; of control's %s it would have met %s",
		mishap.Thousands(i.Met.Experiment), mishap.Plural(i.Requests.Experiment, "request"), mishap.Thousands(i.Requests.Control), mishap.Thousands(i.Met.Control))
}

// MetBy is [Met], and by how many units.
func MetBy(i *mishap.Intervals) string {
	text := Met(i)
	if n := MetUnits(i); text != "" && n > 0 {
		text += fmt.Sprintf("; %s of the experiment met it", mishap.Plural(n, "unit"))
	}
	return text
}

// MetUnits is how many units of the experiment are behind the rows, which are of
// what met the fault.
func MetUnits(i *mishap.Intervals) (most int64) {
	for _, r := range i.Rows {
		most = max(most, r.Experiment.Units)
	}
	return most
}

// ShownRows are [AllRows], and behind them those of all requests.
func ShownRows(i *mishap.Intervals) []Row {
	all := AllRows(i)
	for _, r := range i.Beside {
		if r.State != mishap.Beyond { // else it is one of them
			all = append(all, Row{r})
		}
	}
	return all
}

// Stopping is the first of those of all requests: there is no room for more.
func Stopping(i *mishap.Intervals) []Row {
	if len(i.Beside) == 0 || i.Beside[0].State == mishap.Beyond {
		return nil
	}
	return []Row{{i.Beside[0]}}
}

// AllRows are those that decided without being one per claim, and then those.
func AllRows(i *mishap.Intervals) (all []Row) {
	for _, r := range slices.Concat(i.Sooner, i.Rows) {
		all = append(all, Row{r})
	}
	return all
}

// ToldRows are [AllRows] where there is room for few. If none is beyond its margin,
// those of all requests that are not within theirs come first: they kept it from
// being held, and those that are within say nothing of that.
func ToldRows(i *mishap.Intervals) []Row {
	all := AllRows(i)
	if slices.ContainsFunc(all, func(r Row) bool { return r.State == mishap.Beyond }) {
		return all
	}
	var open []Row
	for _, r := range i.Beside {
		if r.State == mishap.Open {
			open = append(open, Row{r})
		}
	}
	return append(open, all...)
}

// The ends of the axis on which intervals are shown beside each other, in
// margins: 0 is what a harmless fault does, 1 is the margin.
const (
	LeastMargins = -2.
	MostMargins  = 4.
)

// InMargins is a value of a row in margins. A row without one is drawn so that
// its interval fits.
func (r Row) InMargins(v float64) float64 {
	unit := r.Margin - r.Same
	if unit == 0 {
		unit = math.Max(math.Abs(r.More.Low-r.Same), math.Abs(r.More.High-r.Same)) / 2
	}
	if unit == 0 || math.IsNaN(unit) {
		return 0
	}
	return (v - r.Same) / unit
}

// EndsInMargins are both ends of a row's interval in margins, the harmless one first.
func (r Row) EndsInMargins() (low, high float64) {
	low, high = r.InMargins(r.More.Low), r.InMargins(r.More.High)
	return min(low, high), max(low, high)
}
