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

// ObserveSheet is what was seen, for a person.
func ObserveSheet(o Observed) Sheet {
	var s Sheet
	all := o.Callers.All
	s.add("", SheetItem{Fields: labelled("", observedHow(o))})
	if all.Attempts == 0 {
		why := fmt.Sprintf("No call came. Point what calls %s at %s, or watch longer.", o.Upstream, o.Listen)
		if o.Left > 0 {
			why = "No new call came. Wait until those connections have ended, or end that process."
		}
		s.add("", SheetItem{Fields: []SheetField{{"", why}}})
		return s
	}
	unit := "calls"
	if o.Protocol != "http" {
		unit = "connections"
	}
	s.add("Traffic", SheetItem{Fields: []SheetField{
		{"rate", fmt.Sprintf("%.1f %s/s, %d in all", all.Rate, unit, all.Attempts)},
		{"errors", fmt.Sprintf("%s failed, %s left by their callers before they were answered", partOf(all.Failed, all.Attempts), partOf(all.GaveUp, all.Attempts))},
		{"latency", fmt.Sprintf("%s for half of them, %s for 9 of 10, %s for 99 of 100", all.P50, all.P90, all.P99)},
	}})
	s.add("What callers do", SheetItem{Fields: behaviour(all, o.Protocol == "http")})
	s.add("Who calls", SheetItem{Table: sources(o.Callers), Fields: others(o.Callers)})
	for _, text := range slices.Concat(advise(all), o.Callers.Notes) {
		s.add("", SheetItem{Fields: []SheetField{{"", text}}})
	}
	return s
}

// observedHow says what was watched, and what makes it another than usual.
func observedHow(o Observed) []string {
	all := []string{fmt.Sprintf("%s, %s -> %s, %s, watched for %s", o.Proxy, o.Listen, o.Upstream, o.Protocol, o.For)}
	if o.Faults > 0 {
		all = append(all, mishap.Plural(o.Faults, "fault")+" in force on it: what is below is not how it usually is.")
	}
	if o.Left > 0 {
		all = append(all, mishap.Plural(o.Left, "connection")+" that a restart left in the process before: not seen, so that what goes on there is missing below.")
	}
	return all
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

// behaviour is what callers do, one thing a field.
func behaviour(b callers.Behaviour, requests bool) (all []SheetField) {
	if requests {
		retries := []string{b.Summary()}
		switch why := b.Backoff.Why; {
		case b.Backoff.Kind == callers.Unknown && b.Requests.Max > 1:
			retries = append(retries, "how they pause is not known: "+why)
		case b.Backoff.Kind != callers.Unknown && why != "":
			retries = append(retries, why)
		}
		if ends := b.Requests.Ends.Words(); ends != "" {
			retries = append(retries, ends)
		}
		all = append(labelled("retries", retries), SheetField{"patience", b.Timeout.Words()})
	}
	if b.Load != nil {
		all = append(all, SheetField{"load", fmt.Sprintf("%.1f calls/s while they fail, %.1f else: %.1f times as many", b.Load.Failing, b.Load.Calm, b.Load.Ratio)})
	}
	if b.Failed+b.GaveUp > 0 {
		all = append(all, SheetField{"circuit", b.Circuit.Words()})
	}
	return all
}

// sources is a table of who calls.
func sources(r callers.Report) [][]string {
	if len(r.Sources) == 0 {
		return nil
	}
	rows := [][]string{{"from", "calls/s", "failed", "p99", "retries"}}
	for _, b := range r.Sources {
		failed := fmt.Sprintf("%.1f%%", 100*float64(b.Failed+b.GaveUp)/float64(max(b.Attempts, 1)))
		rows = append(rows, []string{b.Source, fmt.Sprintf("%.1f", b.Rate), failed, b.P99.String(), b.Summary()})
	}
	return rows
}

// others says how many callers the table leaves out.
func others(r callers.Report) []SheetField {
	if r.Others == 0 {
		return nil
	}
	return []SheetField{{"", fmt.Sprintf("and %d more", r.Others)}}
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
