package html

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mishap"
	"mishap/internal/plot"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// film is what happened when, of which a run remembers only how it came out.
type film struct {
	run          *mishap.Run
	zero         time.Time // that time is counted from: the injection, or the plan
	last         time.Time // of the last entry
	observations []seenObservation
	effects      []seenEffect
	changes      []seenChange
	entries      int
}

type seenObservation struct {
	at float64 // seconds since zero
	mishap.Observation
}

type seenEffect struct {
	at float64
	mishap.Effect
}

type seenChange struct {
	at time.Time
	report.Line
}

// develop replays a journal.
func develop(entries []mishap.Entry) (*film, error) {
	f := &film{run: &mishap.Run{}, entries: len(entries)}
	said := report.NewChanges()
	for _, e := range entries {
		if err := f.run.Apply(e); err != nil {
			return nil, err
		}
		f.last = e.At
		for _, c := range said.Of(e, f.run) {
			f.changes = append(f.changes, seenChange{e.At, c})
		}
	}
	if f.run.ID == "" {
		return nil, fmt.Errorf("replay journal: it has no entries")
	}
	if f.zero = f.run.InjectedAt; f.zero.IsZero() {
		f.zero = f.run.PlannedAt
	}
	for _, e := range entries {
		switch {
		case e.Observation != nil:
			f.observations = append(f.observations, seenObservation{f.at(e.At), *e.Observation})
		case e.Effect != nil:
			f.effects = append(f.effects, seenEffect{f.at(e.At), *e.Effect})
		}
	}
	return f, nil
}

// at is a time in seconds since zero.
func (f *film) at(t time.Time) float64 { return words.Between(f.zero, t).Seconds() }

// looks are those at the arms in some phases.
func (f *film) looks(phases ...mishap.ComparisonPhase) []*mishap.Comparison {
	var some []*mishap.Comparison
	for _, look := range f.run.Looks {
		for _, p := range phases {
			if look.Phase == p {
				some = append(some, look)
			}
		}
	}
	return some
}

// faultAreas are the stretches in which a fault was in.
func (f *film) faultAreas() []plot.Area {
	names := len(f.run.Plan.Experiment.Faults)
	var areas []plot.Area
	for _, in := range f.run.Injections {
		if in.Fault == mishap.ArmsFault || in.InjectedAt.IsZero() {
			continue
		}
		a := plot.Area{Name: "fault in force", From: f.at(in.InjectedAt), To: f.at(f.last)}
		if names > 1 {
			a.Name = in.Fault + " is in force"
		}
		if !in.SettledAt.IsZero() {
			a.To = f.at(in.SettledAt)
		}
		areas = append(areas, a)
	}
	return areas
}

// faultEnd is when the last fault was out, or the last entry; 0 without a fault.
func (f *film) faultEnd() (end float64) {
	for _, a := range f.faultAreas() {
		end = math.Max(end, a.To)
	}
	return end
}

// level is a value of an axis.
func level(v float64) string {
	if math.Abs(v) >= 100 {
		return words.Short(v)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// timeAxis is an axis of seconds.
func timeAxis(name string, low, high float64) plot.Axis {
	if high <= low {
		high = low + 1
	}
	return plot.Axis{Name: name, Min: low, Max: high, Ticks: plot.TimeTicks(low, high, 5), Format: sinceZero}
}

// sinceZero writes seconds before or after something.
func sinceZero(v float64) string {
	d := time.Duration(v * float64(time.Second))
	if d = d.Round(10 * time.Millisecond); d.Abs() > time.Second {
		d = d.Round(100 * time.Millisecond)
	}
	switch {
	case d == 0:
		return "0"
	case d < 0:
		return "−" + mishap.Duration(-d).String()
	}
	return "+" + mishap.Duration(d).String()
}

// axisName is what the time of most pictures is counted from.
func (f *film) axisName() string {
	if f.run.InjectedAt.IsZero() {
		return "time since the plan"
	}
	return "time since the injection"
}

// cleaned is a journal whose every text is free of what could draw on a
// terminal or turn the direction of writing; names stay the same everywhere.
func cleaned(entries []mishap.Entry) ([]mishap.Entry, error) {
	var out []mishap.Entry
	for _, e := range entries {
		text, err := json.Marshal(report.WithoutUndo(e))
		if err != nil {
			return nil, fmt.Errorf("read entry %d: %w", e.Seq, err)
		}
		var any any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&any); err != nil {
			return nil, fmt.Errorf("read entry %d: %w", e.Seq, err)
		}
		if text, err = json.Marshal(cleanAll(any)); err != nil {
			return nil, fmt.Errorf("read entry %d: %w", e.Seq, err)
		}
		var one mishap.Entry
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("read entry %d: %w", e.Seq, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// cleanAll cleans every text in decoded JSON.
func cleanAll(v any) any {
	switch v := v.(type) {
	case string:
		return words.Clean(v)
	case []any:
		for i := range v {
			v[i] = cleanAll(v[i])
		}
	case map[string]any:
		same := make(map[string]any, len(v))
		for key, one := range v {
			same[words.Clean(key)] = cleanAll(one)
		}
		return same
	}
	return v
}

// keepLines takes from a whole page what [words.Clean] takes from a text, but for
// line ends: whatever was forgotten ends here.
func keepLines(page string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return words.Harmless(r)
	}, page)
}
