package metrics

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"mishap"
	"mishap/internal/outside"
)

// FromPrometheus is the name of the source that asks a Prometheus server.
const FromPrometheus = "prometheus"

type prometheusParams struct {
	URL        mishap.Secret            `json:"url" jsonschema:"address of the server, without /api/v1, such as http://127.0.0.1:9090"`
	Headers    map[string]mishap.Secret `json:"headers,omitempty" jsonschema:"headers of the request, for a server that asks who you are"`
	CAFile     string                   `json:"caFile,omitempty" jsonschema:"file of certificates in PEM that are trusted instead of the system's"`
	Arms       armsLabel                `json:"arms,omitzero" jsonschema:"the label that tells the arms apart, and its values"`
	Requests   string                   `json:"requests,omitempty" jsonschema:"for success-rate: selector of the counter of requests, such as http_requests_total{job=\"shop\"}"`
	Failures   string                   `json:"failures,omitempty" jsonschema:"for success-rate: selector of the counter of those that failed"`
	Events     string                   `json:"events,omitempty" jsonschema:"for event-rate: selector of a counter"`
	Histogram  string                   `json:"histogram,omitempty" jsonschema:"for latency: selector of a histogram in seconds, native or classic (then without _bucket)"`
	Gauge      string                   `json:"gauge,omitempty" jsonschema:"for gauge: an expression that gives one number for each arm"`
	Control    *armAsk                  `json:"control,omitempty" jsonschema:"control's own selectors, if no label tells the arms apart"`
	Experiment *armAsk                  `json:"experiment,omitempty" jsonschema:"the experiment's own selectors"`
	Step       mishap.Duration          `json:"step,omitempty" jsonschema:"least time that a bucket covers; default is the scrape interval, for a gauge 15s"`
	Tolerance  mishap.Duration          `json:"tolerance,omitempty" jsonschema:"most that the server's clock and ours may be apart; default 2s"`
	Skew       mishap.Duration          `json:"skew,omitempty" jsonschema:"most that the scrapes of the two arms may be apart, where they are different targets; default 2s"`
}

// armsLabel is how series say which arm they are of.
type armsLabel struct {
	Label      string `json:"label,omitempty" jsonschema:"name of the label; default arm"`
	Control    string `json:"control,omitempty" jsonschema:"its value for control; default control"`
	Experiment string `json:"experiment,omitempty" jsonschema:"its value for the experiment; default experiment"`
}

// armAsk is what is asked for one arm.
type armAsk struct {
	Requests  string `json:"requests,omitempty" jsonschema:"selector of the counter of requests"`
	Failures  string `json:"failures,omitempty" jsonschema:"selector of the counter of failures"`
	Events    string `json:"events,omitempty" jsonschema:"selector of a counter"`
	Histogram string `json:"histogram,omitempty" jsonschema:"selector of a histogram"`
	Gauge     string `json:"gauge,omitempty" jsonschema:"an expression that gives one number"`
}

const prometheusDoc = "Reads the arms from a Prometheus server (or what speaks its API). The arms are told apart by a label, " +
	"`arm` unless said, or each has its own selectors under `control` and `experiment`.\n\n" +
	"Counters and histograms are read as they were scraped, series by series, and a bucket is what was counted between two " +
	"scrapes of all of them: nothing is extrapolated. It closes when the last series was scraped again. A series that is new on " +
	"a target that was scraped before begins at 0. Refused, and so missing, are buckets in which a counter fell, bounds changed, " +
	"a scrape failed, a target came or went, an arm has no series, or the arms are scraped further apart than `skew`; " +
	"and all of them while the server's clock and ours are further apart than `tolerance`.\n\n" +
	"A scrape every 15 s finds harm no sooner than in 15 to 30 s: `plan` says it."

const prometheusExample = `metric: success-rate
margin: 0.5pp
source: prometheus
with:
  url: http://127.0.0.1:9090
  requests: http_requests_total{job="shop"}
  failures: http_requests_total{job="shop",code=~"5.."}
  arms: {label: arm, control: control, experiment: experiment}
`

func prometheusKind(d Deps) Kind {
	kinds := []mishap.MetricKind{mishap.SuccessRate, mishap.EventRate, mishap.Latency, mishap.Gauge}
	return Kind{
		Kind: mishap.Kind{
			Name:    FromPrometheus,
			Summary: "a Prometheus server that scrapes both arms",
			Doc:     prometheusDoc,
			Params:  prometheusParams{},
			Example: prometheusExample,
		},
		Metrics: kinds,
		New: func(m mishap.CompareMetric) (Source, error) {
			p, err := readPrometheus(m)
			var asks []ask
			if err == nil {
				var problem error
				asks, problem = p.asks(m.Metric)
				err = errors.Join(p.check(), problem, labelOf(m, ofLabels), narrow(m, p.Step))
			}
			if err := errors.Join(fits(FromPrometheus, m, kinds), err); err != nil {
				return nil, err
			}
			client := &promClient{secrets: &secrets{deps: d}, params: p}
			if m.Metric == mishap.Gauge {
				return newPromGauge(client, p, asks), nil
			}
			for i := range asks {
				asks[i].unit = m.Unit
			}
			counts := newPromCounts(client, p, m.Metric, asks)
			if counts.rounds.label = m.Unit; m.Unit != "" {
				return countUnits(d, counts, m), nil
			}
			if p.Step > 0 {
				return Widen(counts, p.Step.Std()), nil
			}
			return counts, nil
		},
		Uses: func(m mishap.CompareMetric) (mishap.Uses, error) {
			p, err := readPrometheus(m)
			return p.uses(), err
		},
	}
}

func readPrometheus(m mishap.CompareMetric) (prometheusParams, error) {
	p := prometheusParams{Tolerance: mishap.Duration(tolerated), Skew: mishap.Duration(tolerated), Arms: armsLabel{Label: "arm", Control: "control", Experiment: "experiment"}}
	err := mishap.Decode("with", m.With, &p)
	return p, err
}

// uses is the server, and the file of whom to trust.
func (p prometheusParams) uses() mishap.Uses {
	u := mishap.UsesOf(p)
	if at, err := url.Parse(p.URL.Value); err == nil && at.Host != "" {
		u.Hosts = append(u.Hosts, outside.HostPort(at))
	}
	if p.CAFile != "" {
		u.Files = append(u.Files, p.CAFile)
	}
	return u
}

func (p prometheusParams) check() error {
	var problems []error
	wrong := func(path, msg, hint string) {
		problems = append(problems, &mishap.FieldError{Path: path, Msg: msg, Hint: hint})
	}
	if !p.URL.IsReference() {
		u, err := url.Parse(p.URL.Value)
		switch {
		case p.URL.Value == "":
			wrong("with.url", "is missing", "write it like http://127.0.0.1:9090")
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
			wrong("with.url", "is not a URL that begins with http:// or https://", "write it like http://127.0.0.1:9090")
		case strings.Contains(p.URL.Value, "/api/v1") || u.RawQuery != "":
			wrong("with.url", "must be the address of the server alone", "leave out /api/v1 and what follows it")
		}
	}
	if name, rest := takeName(p.Arms.Label, ofLabels); name == "" || rest != "" {
		wrong("with.arms.label", fmt.Sprintf("%q is not the name of a label", p.Arms.Label), "")
	}
	if p.Arms.Control == p.Arms.Experiment || p.Arms.Control == "" || p.Arms.Experiment == "" {
		wrong("with.arms", "control and experiment need values of their own", "")
	}
	if p.Step.Std() > 10*time.Minute {
		wrong("with.step", fmt.Sprintf("%s is too long: harm is not seen for so long", p.Step), "at most 10m")
	}
	if p.Tolerance.Std() > time.Minute {
		wrong("with.tolerance", fmt.Sprintf("%s is too long", p.Tolerance), "at most 1m")
	}
	if p.Skew.Std() > 10*time.Minute {
		wrong("with.skew", fmt.Sprintf("%s is too long", p.Skew), "at most 10m")
	}
	return errors.Join(problems...)
}
