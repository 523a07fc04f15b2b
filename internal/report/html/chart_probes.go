package html

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/plot"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// callersProbe is the probe that watches how callers behave.
const callersProbe = "callers"

// markKeys are the kinds of marks of probes.
func markKeys() []plot.Mark {
	return []plot.Mark{
		{Class: string(mishap.Met), Height: 0.3, Name: "as it should be"},
		{Class: string(mishap.Unmet), Height: 1, Name: "not as it should be"},
		{Class: string(mishap.Unmeasured), Height: 0.6, Name: "could not be measured"},
	}
}

// mark is one observation in a picture.
func mark(o seenObservation, since float64) plot.Mark {
	for _, k := range markKeys() {
		if k.Class == string(o.Result) {
			return plot.Mark{At: o.at - since, Class: k.Class, Height: k.Height}
		}
	}
	return plot.Mark{At: o.at - since, Class: string(mishap.Unmeasured), Height: 0.6}
}

// strips are the observations of each probe in some phases, counted from since.
func (f *film) strips(since float64, phases ...mishap.Phase) []plot.Strip {
	var all []plot.Strip
	for _, w := range f.run.Watches {
		s := plot.Strip{Name: w.Spec.Name}
		counts := map[mishap.Result]int{}
		for _, o := range f.observations {
			if o.Probe == w.Spec.Name && slices.Contains(phases, o.Phase) {
				s.Marks = append(s.Marks, mark(o, since))
				counts[o.Result]++
			}
		}
		var notes []string
		for _, result := range []mishap.Result{mishap.Met, mishap.Unmet, mishap.Unmeasured} {
			if counts[result] > 0 {
				notes = append(notes, fmt.Sprintf("%d %s", counts[result], result))
			}
		}
		s.Note = strings.Join(notes, ", ")
		if s.Marks != nil {
			all = append(all, s)
		}
	}
	return all
}

// probesChart is what every probe saw over the whole run.
func (f *film) probesChart() []plot.Strips {
	strips := f.strips(0, mishap.Before, mishap.During, mishap.After)
	if strips == nil {
		return nil
	}
	return []plot.Strips{{
		ID: "probes", Title: "What the probes saw", Says: f.probesSay(),
		X: timeAxis(f.axisName(), f.at(f.run.PlannedAt), f.at(f.last)), Areas: f.faultAreas(), Keys: markKeys(), Strips: strips,
	}}
}

func (f *film) probesSay() string {
	says := "Each line is one look of a probe; a high one was not as it should be."
	if c := f.run.Plan.Experiment.Compare; c != nil && c.Arms.From == mishap.ArmsFromRequests {
		says += " Probes send requests of their own, which may be in neither arm and meet no fault."
	}
	return says
}

// recoveryChart is how the system came back after the revert.
func (f *film) recoveryChart() []plot.Strips {
	r := f.run
	if r.RevertedAt.IsZero() || len(f.looksAfter()) == 0 {
		return nil
	}
	since := f.at(r.RevertedAt)
	end := math.Max(0.01, f.at(f.last)-since)
	c := plot.Strips{
		ID: "recovery", Title: "How the system came back after the fault was reverted", Says: "Nobody saw it come back.",
		X: timeAxis("time since the verified revert", 0, end), Keys: markKeys(), Strips: f.strips(since, mishap.After),
	}
	if rec := r.Recovered; rec != nil {
		c.Says = words.Sentence(report.Recovered(*rec))
		_, within := rec.Range()
		if back := within.Seconds(); back > end/100 { // else nobody could see it
			c.Areas = []plot.Area{{Name: "not seen back yet", From: 0, To: math.Min(back, end)}}
		}
	}
	return []plot.Strips{c}
}

func (f *film) looksAfter() []seenObservation {
	var some []seenObservation
	for _, o := range f.observations {
		if o.Phase == mishap.After {
			some = append(some, o)
		}
	}
	return some
}

// behaviour is what callers did for a while.
type behaviour struct {
	Probe, From, Until, Result, What string
	Times                            int
}

// mostBehaviours is how many lines the page has of them.
const mostBehaviours = 40

// callers are what the probes of callers saw, the same ones in a row together.
func (f *film) callers() []behaviour {
	var all []behaviour
	for _, w := range f.run.Watches {
		if w.Spec.Probe != callersProbe {
			continue
		}
		for _, o := range f.observations {
			if o.Probe != w.Spec.Name {
				continue
			}
			one := behaviour{Probe: o.Probe, From: sinceZero(o.at), Until: sinceZero(o.at), Result: string(o.Result), What: report.Seen("; ", o.Observation), Times: 1}
			if n := len(all); n > 0 && all[n-1].Probe == one.Probe && all[n-1].Result == one.Result && all[n-1].What == one.What {
				all[n-1].Until = one.Until
				all[n-1].Times++
			} else {
				all = append(all, one)
			}
		}
	}
	if len(all) > mostBehaviours {
		all = all[len(all)-mostBehaviours:]
	}
	return all
}
