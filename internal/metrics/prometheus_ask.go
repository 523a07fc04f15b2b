package metrics

import (
	"errors"
	"fmt"
	"regexp"

	"mishap"
)

// role is what a series counts.
type role int

const (
	requests role = iota
	failures
	events
	latencies
	levelRole
	noRole // a sign of life
)

// ask is one query of a metric.
type ask struct {
	path  string // of the parameter
	text  string // as it is written there
	role  role
	pick  selector        // with the arms in it; not of a gauge
	label string          // that tells the arms apart; empty: all is of arm
	arms  map[string]side // values of the label
	arm   side            //
	unit  string          // the label that says of which unit a series is; empty: none does
}

// asks makes the queries of a metric, requests before failures: what was scraped
// with the requests is then there with the failures.
func (p prometheusParams) asks(kind mishap.MetricKind) ([]ask, error) {
	both := armAsk{p.Requests, p.Failures, p.Events, p.Histogram, p.Gauge}
	if p.Control == nil && p.Experiment == nil {
		asks, err := both.asks("with.", kind, false)
		for i := range asks {
			a := &asks[i]
			a.label, a.arms = p.Arms.Label, map[string]side{p.Arms.Control: control, p.Arms.Experiment: experiment}
			a.pick = a.pick.where(a.label, "=~", regexp.QuoteMeta(p.Arms.Control)+"|"+regexp.QuoteMeta(p.Arms.Experiment))
		}
		return asks, err
	}
	if both != (armAsk{}) || p.Control == nil || p.Experiment == nil {
		return nil, &mishap.FieldError{Path: "with.control", Msg: "says what is read for one arm, and the rest is missing or said twice",
			Hint: "give both control and experiment their own selectors, and none beside them"}
	}
	c, errC := p.Control.asks("with.control.", kind, false)
	e, errE := p.Experiment.asks("with.experiment.", kind, false)
	if err := errors.Join(errC, errE); err != nil {
		return nil, err
	}
	var asks []ask
	for i := range c {
		e[i].arm = experiment
		asks = append(asks, c[i], e[i])
	}
	return asks, nil
}

// asks makes the queries of one arm, or of both. Those of OpenTelemetry have
// dotted names, and a gauge is a selector too.
func (a armAsk) asks(path string, kind mishap.MetricKind, otlp bool) ([]ask, error) {
	var asks []ask
	var problems []error
	for _, field := range []struct {
		name, text string
		role       role
		kind       mishap.MetricKind
	}{
		{"requests", a.Requests, requests, mishap.SuccessRate}, {"failures", a.Failures, failures, mishap.SuccessRate},
		{"events", a.Events, events, mishap.EventRate}, {"histogram", a.Histogram, latencies, mishap.Latency}, {"gauge", a.Gauge, levelRole, mishap.Gauge},
	} {
		wrong := func(msg, hint string) {
			problems = append(problems, &mishap.FieldError{Path: path + field.name, Msg: msg, Hint: hint})
		}
		switch {
		case field.kind != kind && field.text == "":
			continue
		case field.kind != kind:
			wrong(fmt.Sprintf("is not read by a %s", kind), "leave it out, or make it a metric of its own")
			continue
		case field.text == "":
			wrong("is missing", "")
			continue
		}
		q := ask{path: path + field.name, text: field.text, role: field.role}
		if field.role != levelRole || otlp {
			var err error
			if q.pick, err = parseSelector(field.text, otlp); err != nil {
				wrong(fmt.Sprintf("%q %v", field.text, err), `write it like http_requests_total{job="shop"}: counters are read as they were scraped, without functions, ranges or offsets`)
			}
		}
		asks = append(asks, q)
	}
	return asks, errors.Join(problems...)
}

// unitOf is what a series says of its unit.
func (a ask) unitOf(labels map[string]string) string {
	if a.unit == "" {
		return ""
	}
	return labels[a.unit]
}

// armOf is the arm of a series.
func (a ask) armOf(labels map[string]string) (side, bool) {
	if a.label == "" {
		return a.arm, true
	}
	arm, ok := a.arms[labels[a.label]]
	return arm, ok
}
