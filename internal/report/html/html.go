// Package html makes pages of a run and of a trend, with pictures of everything
// that was measured. A page opens offline, runs no script, and prints.
package html

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// CSS is how pages look, for who shows parts of them elsewhere.
func CSS() string { return pageCSS }

// Run writes a run as one page that opens offline: nothing is fetched, no
// script runs, and it prints. Version is that of the program that writes it.
// Whatever the journal holds is escaped.
func Run(w io.Writer, entries []mishap.Entry, version string) error {
	link, err := journalLink(entries)
	if err != nil {
		return err
	}
	safe, err := cleaned(entries)
	if err != nil {
		return err
	}
	f, err := develop(safe)
	if err != nil {
		return err
	}
	v := f.view()
	v.Version, v.Journal = version, link
	return writePage(w, "run", v)
}

// writePage fills in one of the pages of the template.
func writePage(w io.Writer, name string, v any) error {
	t, err := template.New("").Funcs(template.FuncMap{"css": func() template.CSS { return template.CSS(pageCSS) }}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	var page bytes.Buffer
	if err := t.ExecuteTemplate(&page, name, v); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	if _, err := io.WriteString(w, together(keepLines(page.String()))); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// together keeps units on the line of their number.
func together(page string) string {
	return strings.NewReplacer(" %", "\u00a0%", " pp", "\u00a0pp").Replace(page)
}

// journalLink is the whole journal as an address that holds it, so that the
// page alone keeps the evidence.
func journalLink(entries []mishap.Entry) (template.URL, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := report.WriteJournal(z, entries); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", fmt.Errorf("pack journal: %w", err)
	}
	return template.URL("data:application/gzip;base64," + base64.StdEncoding.EncodeToString(packed.Bytes())), nil
}

// pageView is a run as the page shows it.
type pageView struct {
	Run, Title, Claim, Reason string
	Identity                  string
	Contents                  []place
	Probes                    []probeView
	Badge                     badge
	StillIn, TooLong          []string
	WaysOut                   []report.WayOut
	Facts, Provenance, Limits []fact
	Summary                   []string
	Arms                      []armView
	Forest                    template.HTML
	Doubts                    []string
	Sections                  []section
	Quantiles                 []quantileRow
	Callers                   []behaviour
	Faults                    []faultView
	Events                    []eventView
	Changes                   []eventView
	Safeguards                []mishap.Check
	Reasons                   bool // a safeguard gave one
	Notes                     []string
	Plan, Digest, Version     string
	Journal                   template.URL
	Entries                   int
}

// badge is the verdict at a glance: a word, and a sign that is not a colour.
type badge struct{ Class, Sign, Word, Means string }

type fact struct{ Name, Text string }

type armView struct{ Class, Name, Requests, Succeeded, P50, P99 string }

// place is one of the page that is named at its top.
type place struct{ ID, Title string }

type probeView struct {
	Name, Allowed       string
	Met, Unmet, Unknown int
}

type faultView struct {
	Name, What string
	Texts      []string
}

type eventView struct{ When, Since, Word, Text string }

// section is one group of pictures.
type section struct {
	ID, Title, Intro string
	Pictures         []template.HTML
}

// badgeOf is the verdict of a run, or where it stands.
func badgeOf(r *mishap.Run) badge {
	b := badgeFor(words.StandingOf(r))
	b.Means = "The run is not over, so there is no verdict yet."
	switch b.Word {
	case string(mishap.Held):
		b.Means = "The claim held."
	case string(mishap.Deviated):
		b.Means = "The claim did not hold."
	case string(mishap.Inconclusive):
		b.Means = "Nothing was shown, neither for the claim nor against it."
	case string(mishap.Refused):
		b.Means = "The experiment did not start; it touched nothing."
	case string(mishap.CauseMissed):
		b.Means = "Nobody served when the experiment was due; it touched nothing."
	case string(mishap.Stranded):
		b.Means = "A fault may still be in force, and a person must act."
	}
	b.Word = strings.TrimSuffix(words.Sentence(b.Word), ".")
	return b
}

// badgeFor is that of a word.
func badgeFor(standing string) badge {
	sign := words.SignOf(standing)
	return badge{Class: sign.Class, Sign: sign.Sign, Word: standing}
}

// view is everything that the page shows.
func (f *film) view() pageView {
	r, e := f.run, f.run.Plan.Experiment
	_, reason := mishap.Judge(r)
	v := pageView{
		Run: r.ID, Title: e.Name, Claim: e.Claim, Reason: words.Sentence(reason), Badge: badgeOf(r), Identity: identity(r), Facts: f.facts(), Summary: f.summary(),
		Sections: f.sections(), Quantiles: f.quantileRows(), Callers: f.callers(), Entries: f.entries,
		Provenance: provenance(r), Limits: limits(r.Plan), Digest: r.Plan.Digest, Notes: slices.Concat(r.Plan.Notes, r.Notes),
	}
	v.TooLong = report.Overran(r)
	for _, in := range r.Outstanding() {
		v.StillIn = append(v.StillIn, words.Joined(": ", report.On(in)+" is "+string(in.State), in.Detail))
	}
	if v.StillIn != nil {
		v.WaysOut = report.WaysOut(r)
	}
	if a := report.Compared(r); a != nil {
		for i, one := range []report.Arm{a.Control, a.Experiment} {
			v.Arms = append(v.Arms, armView{[]string{"control", "experiment"}[i], one.Name, mishap.Thousands(one.Requests), one.Succeeded(), words.Quick(one.P50), words.Quick(one.P99)})
		}
		v.Doubts, v.Forest = a.Doubts, Forest("forest", a.Intervals)
	} else if !r.InjectedAt.IsZero() {
		for _, w := range r.Watches {
			v.Probes = append(v.Probes, probeView{w.Spec.Name, w.Spec.Allow.String(), w.Met, w.Unmet, w.Unknown})
		}
	}
	for _, in := range r.Injections {
		v.Faults = append(v.Faults, faultView{in.Fault, in.Injector + " on " + in.Target.Label(), report.History(in)})
	}
	for _, one := range report.Events(r) {
		line := eventView{Text: one.Text}
		if !one.Guess {
			line.When, line.Since = words.Clock(one.At), sinceZero(f.at(one.At))
		}
		v.Events = append(v.Events, line)
	}
	for _, c := range f.changes {
		v.Changes = append(v.Changes, eventView{words.Clock(c.at), sinceZero(f.at(c.at)), c.Word, c.Text})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		v.Safeguards = append(v.Safeguards, r.Checks[name])
		v.Reasons = v.Reasons || r.Checks[name].Reason != ""
	}
	v.Plan = pretty(e)
	v.Contents = contents(v)
	return v
}

// contents are what the page has below its first screen.
func contents(v pageView) []place {
	all := []place{{"short", "In short"}}
	for _, s := range v.Sections {
		all = append(all, place{s.ID + "-section", s.Title})
	}
	if v.Callers != nil {
		all = append(all, place{"callers", "How the callers behaved"})
	}
	if v.Faults != nil {
		all = append(all, place{"faults", "Faults"})
	}
	return append(all, place{"timeline", "Timeline"}, place{"record", "For the record"})
}

// pretty is the experiment as it was run, for a person.
func pretty(e mishap.Experiment) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(e); err != nil {
		return err.Error()
	}
	return out.String()
}
