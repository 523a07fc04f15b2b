package metrics

import (
	"errors"
	"fmt"
	"time"

	"mishap"
)

// FromOTLP is the name of the source that receives OpenTelemetry metrics.
const FromOTLP = mishap.OTLPSource

type otlpParams struct {
	Arms      armsLabel       `json:"arms,omitzero" jsonschema:"the attribute, of points or of resources, that tells the arms apart, and its values; default mishap.arm"`
	Run       string          `json:"run,omitempty" jsonschema:"the attribute that names the run; default mishap.run"`
	AnyRun    bool            `json:"anyRun,omitempty" jsonschema:"also read what names no run"`
	Requests  string          `json:"requests,omitempty" jsonschema:"for success-rate: name of a sum, or of a histogram whose count it is, with conditions on attributes such as http.server.request.duration{http.route=\"/pay\"}"`
	Failures  string          `json:"failures,omitempty" jsonschema:"for success-rate: the same for those that failed"`
	Events    string          `json:"events,omitempty" jsonschema:"for event-rate: a sum, or a histogram whose count it is"`
	Histogram string          `json:"histogram,omitempty" jsonschema:"for latency: a histogram, explicit or exponential, in s, ms, us or ns"`
	Gauge     string          `json:"gauge,omitempty" jsonschema:"for gauge: a gauge or a sum that may fall; the mean over all series of an arm"`
	Interval  mishap.Duration `json:"interval,omitempty" jsonschema:"how often metrics are exported; default is to learn it"`
	Wait      mishap.Duration `json:"wait,omitempty" jsonschema:"how long after its end points of a bucket may come; default 5s"`
	Step      mishap.Duration `json:"step,omitempty" jsonschema:"least time that a bucket covers; default is the interval"`
	Tolerance mishap.Duration `json:"tolerance,omitempty" jsonschema:"most that the clocks of exporters and ours may be apart; default 2s"`
	Skew      mishap.Duration `json:"skew,omitempty" jsonschema:"most that the exports of the two arms may be apart, where they are different processes; default 2s"`
}

const otlpDoc = "Receives metrics by OTLP over HTTP (protobuf or JSON; not gRPC) on the address of the settings, from SDKs or a " +
	"collector. The arm is the attribute `mishap.arm` of a point or of its resource (`control` or `experiment`), and only points " +
	"of this run (`mishap.run`) are read. Sums and histograms, explicit and exponential, delta and cumulative.\n\n" +
	"A bucket is what was counted between two exports of all processes, and closes when the last one has exported again. A series " +
	"that a process leaves out has not changed. Refused, and so missing, are buckets in which a counter began anew, an export was " +
	"lost, bounds changed, a process came or went, or the arms were exported further apart than `skew`; points that come later " +
	"than `wait` are refused and said so to the exporter.\n\n" +
	"SDKs export every 60 s unless told otherwise: set OTEL_METRIC_EXPORT_INTERVAL=1000."

const otlpExample = `metric: success-rate
margin: 0.5pp
source: otlp
with:
  requests: http.server.request.duration{http.route="/checkout"}
  failures: http.server.request.duration{http.route="/checkout",http.response.status_code=~"5.."}
  interval: 1s
`

const (
	usualWait = 5 * time.Second
	inPieces  = 300 * time.Millisecond // an export may come in several requests
)

func otlpKind(d Deps) Kind {
	kinds := []mishap.MetricKind{mishap.SuccessRate, mishap.EventRate, mishap.Latency, mishap.Gauge}
	return Kind{
		Kind: mishap.Kind{
			Name:    FromOTLP,
			Summary: "the system exports its own metrics by OpenTelemetry",
			Doc:     otlpDoc,
			Params:  otlpParams{},
			Example: otlpExample,
		},
		Metrics: kinds,
		New: func(m mishap.CompareMetric) (Source, error) {
			p, err := readOTLP(m)
			var asks []ask
			if err == nil {
				var problem error
				asks, problem = armAsk{p.Requests, p.Failures, p.Events, p.Histogram, p.Gauge}.asks("with.", m.Metric, true)
				err = errors.Join(p.check(), problem, labelOf(m, ofOTLP), narrow(m, p.Step))
			}
			if err := errors.Join(fits(FromOTLP, m, kinds), err); err != nil {
				return nil, err
			}
			for i := range asks {
				asks[i].unit = m.Unit
			}
			s := newOTLPSource(d, p, m.Metric, asks)
			if s.rounds.label = m.Unit; m.Unit != "" {
				return countUnits(d, s, m), nil
			}
			if p.Step > 0 {
				return Widen(s, p.Step.Std()), nil
			}
			return s, nil
		},
		Uses: func(m mishap.CompareMetric) (mishap.Uses, error) { // it is told, and asks nobody
			p, err := readOTLP(m)
			return mishap.UsesOf(p), err
		},
	}
}

func readOTLP(m mishap.CompareMetric) (otlpParams, error) {
	p := otlpParams{Arms: armsLabel{Label: "mishap.arm", Control: "control", Experiment: "experiment"}, Run: "mishap.run",
		Wait: mishap.Duration(usualWait), Tolerance: mishap.Duration(tolerated), Skew: mishap.Duration(tolerated)}
	err := mishap.Decode("with", m.With, &p)
	return p, err
}

func (p otlpParams) check() error {
	var problems []error
	for _, d := range []struct {
		path  string
		value mishap.Duration
		most  time.Duration
	}{{"with.interval", p.Interval, longestDelay}, {"with.wait", p.Wait, longestDelay}, {"with.step", p.Step, longestDelay}, {"with.tolerance", p.Tolerance, time.Minute}, {"with.skew", p.Skew, longestDelay}} {
		if d.value.Std() > d.most {
			problems = append(problems, &mishap.FieldError{Path: d.path, Msg: fmt.Sprintf("%s is too long", d.value), Hint: fmt.Sprintf("at most %s", mishap.Duration(d.most))})
		}
	}
	if p.Arms.Label == "" || p.Arms.Control == p.Arms.Experiment || p.Arms.Control == "" || p.Arms.Experiment == "" {
		problems = append(problems, &mishap.FieldError{Path: "with.arms", Msg: "needs the name of an attribute, and values of their own for control and experiment"})
	}
	if p.Run == "" {
		problems = append(problems, &mishap.FieldError{Path: "with.run", Msg: "is the name of an attribute", Hint: "to read what names no run, set anyRun"})
	}
	return errors.Join(problems...)
}
