package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"mishap"
	"mishap/internal/callers"
)

// Observed is what was seen of the live traffic of a proxy.
type Observed struct {
	Proxy    string          `json:"proxy"`
	Listen   string          `json:"listen"`
	Upstream string          `json:"upstream"`
	Protocol string          `json:"protocol"`
	At       time.Time       `json:"at"` // when it began
	For      mishap.Duration `json:"for"`
	Faults   int             `json:"faults"`         // in force when it ended
	Left     int             `json:"left,omitempty"` // connections that a restart left in the process before, whose calls are not seen
	Callers  callers.Report  `json:"callers"`
}

// ObserveJSON writes what was seen as one JSON object.
func ObserveJSON(w io.Writer, o Observed) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(o)
}

// Observe writes what was seen for a person.
func Observe(w io.Writer, o Observed) error {
	p := newPage(w)
	p.line(0, "%s, %s -> %s, %s, watched for %s", o.Proxy, o.Listen, o.Upstream, o.Protocol, o.For)
	switch {
	case o.Faults == 1:
		p.line(0, "A fault is in force on it: what is below is not how it usually is.")
	case o.Faults > 1:
		p.line(0, "%d faults are in force on it: what is below is not how it usually is.", o.Faults)
	}
	if o.Left > 0 {
		p.line(0, "%s that a restart left in the process before: not seen, so that what goes on there is missing below.", mishap.Plural(o.Left, "connection"))
	}
	all := o.Callers.All
	if all.Attempts == 0 && o.Left > 0 {
		p.blank()
		p.line(0, "No new call came. Wait until those connections have ended, or end that process.")
		return p.to(w)
	}
	if all.Attempts == 0 {
		p.blank()
		p.line(0, "No call came. Point what calls %s at %s, or watch longer (--for).", o.Upstream, o.Listen)
		return p.to(w)
	}
	p.heading("Traffic")
	unit := "calls"
	if o.Protocol != "http" {
		unit = "connections"
	}
	p.field("  rate", "%.1f %s/s, %d in all", all.Rate, unit, all.Attempts)
	p.field("  errors", "%s failed, %s left by their callers before they were answered", partOf(all.Failed, all.Attempts), partOf(all.GaveUp, all.Attempts))
	p.field("  latency", "%s for half of them, %s for 9 of 10, %s for 99 of 100", all.P50, all.P90, all.P99)
	p.heading("What callers do")
	p.behaviour(all, o.Protocol == "http")
	p.sources(o.Callers)
	for _, advice := range advise(all) {
		p.blank()
		p.line(0, "%s", advice)
	}
	for _, note := range o.Callers.Notes {
		p.blank()
		p.line(0, "%s", note)
	}
	return p.to(w)
}

func partOf(n, of int) string {
	switch n {
	case 0:
		return "none"
	case of:
		return "all"
	default:
		return fmt.Sprintf("%d (%.2g%%)", n, 100*float64(n)/float64(of))
	}
}

// behaviour writes what callers do, one thing a line.
func (p *page) behaviour(b callers.Behaviour, requests bool) {
	if requests {
		p.field("  retries", "%s", b.Summary())
		switch why := b.Backoff.Why; {
		case b.Backoff.Kind == callers.Unknown && b.Requests.Max > 1:
			p.field("", "how they pause is not known: %s", why)
		case b.Backoff.Kind != callers.Unknown && why != "":
			p.field("", "%s", why)
		}
		if ends := b.Requests.Ends.Words(); ends != "" {
			p.field("", "%s", ends)
		}
		p.field("  patience", "%s", b.Timeout.Words())
	}
	if b.Load != nil {
		p.field("  load", "%.1f calls/s while they fail, %.1f else: %.1f times as many", b.Load.Failing, b.Load.Calm, b.Load.Ratio)
	}
	if b.Failed+b.GaveUp > 0 {
		p.field("  circuit", "%s", b.Circuit.Words())
	}
}

// sources writes a table of who calls.
func (p *page) sources(r callers.Report) {
	if len(r.Sources) == 0 {
		return
	}
	p.blank()
	columns := []int{18, -8, -8, -8}
	p.row(0, columns, "FROM", "CALLS/S", "FAILED", "P99", "RETRIES")
	for _, b := range r.Sources {
		failed := fmt.Sprintf("%.1f%%", 100*float64(b.Failed+b.GaveUp)/float64(max(b.Attempts, 1)))
		p.row(0, columns, b.Source, fmt.Sprintf("%.1f", b.Rate), failed, b.P99.String(), b.Summary())
	}
	if r.Others > 0 {
		p.line(0, "and %d more", r.Others)
	}
}

// advise says what a behaviour means when the dependency fails.
func advise(b callers.Behaviour) (list []string) {
	steady := func(k callers.BackoffKind) bool { return k == callers.Immediate || k == callers.Constant }
	if steady(b.Backoff.Kind) || slices.ContainsFunc(b.Backoff.Parts, func(p callers.Part) bool { return steady(p.Kind) }) {
		list = append(list, fmt.Sprintf("Retries that do not slow down keep a dependency that fails under %.1f times its load. Exponential backoff lets it recover.", max(b.Requests.Mean, 1)))
	}
	if b.Backoff.Kind != callers.Unknown && b.Backoff.Kind != callers.Immediate && b.Jitter.Kind == callers.JitterAbsent {
		list = append(list, "Without jitter, callers that failed together come back together.")
	}
	if b.Requests.Ends.Never {
		list = append(list, "Callers that never give up pile up for as long as the failure lasts.")
	}
	return list
}
