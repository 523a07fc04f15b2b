package metrics

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/outside"
)

// Deps is what sources need of the world. What a source lacks it says when it is
// asked for buckets, so that an experiment can be checked without it.
type Deps struct {
	LookupEnv func(name string) (string, bool)                                     // nil: that of package os
	ReadFile  func(path string) ([]byte, error)                                    // nil: [outside.ReadFile]
	Dial      func(ctx context.Context, network, address string) (net.Conn, error) // nil: a [net.Dialer] does
	Proxy     *Proxy                                                               // the arms of the run at the edge; nil: there are none
	Run       string                                                               // the id of the run, which points of OTLP bear
	Receiver  *Receiver                                                            // of OTLP; nil: there is none
	Targets   int                                                                  // how many each arm has, if arms are made of targets; else 0
}

// Kind is a source in the catalog.
type Kind struct {
	mishap.Kind
	Metrics []mishap.MetricKind // what it can measure
	// New checks the metric and its parameters, and makes its source, which does
	// nothing before it is asked. Problems are [*mishap.FieldError] values,
	// joined, with paths from the metric on: "with.url", "metric".
	New func(m mishap.CompareMetric) (Source, error)
	// Uses is what the source starts, reads and reaches.
	Uses func(m mishap.CompareMetric) (mishap.Uses, error)
}

// Catalog lists all sources, sorted by name. Sources of one catalog share what
// they can: it is made anew for each run.
func Catalog(d Deps) []Kind {
	if d.LookupEnv == nil {
		d.LookupEnv = os.LookupEnv
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	if d.ReadFile == nil {
		d.ReadFile = outside.ReadFile
	}
	return []Kind{
		commandKind(d),
		otlpKind(d),
		prometheusKind(d),
		proxyKind(d),
	}
}

// narrow refuses a step of a metric that is counted by units: wider buckets would
// only be drawn.
func narrow(m mishap.CompareMetric, step mishap.Duration) error {
	if m.Unit == "" || step == 0 {
		return nil
	}
	return &mishap.FieldError{Path: "with.step", Msg: "is not used with unit: units are counted from reading to reading", Hint: "remove step"}
}

// labelOf refuses a unit that is no name of a label.
func labelOf(m mishap.CompareMetric, names charset) error {
	if name, rest := takeName(m.Unit, names); m.Unit == "" || name != "" && rest == "" {
		return nil
	}
	return &mishap.FieldError{Path: "unit", Msg: fmt.Sprintf("%q is not the name of a label", m.Unit), Hint: "write it like slot"}
}

// fits refuses a metric of a kind that the source does not have.
func fits(source string, m mishap.CompareMetric, kinds []mishap.MetricKind) error {
	if slices.Contains(kinds, m.Metric) {
		return nil
	}
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return &mishap.FieldError{Path: "metric", Msg: fmt.Sprintf("the source %s has no %s", source, m.Metric), Hint: "it has " + strings.Join(names, ", ")}
}
