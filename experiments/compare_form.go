package experiments

import (
	"encoding/json"
	"fmt"
	"strings"

	"mishap"
)

type compareForm struct {
	Arms      armsForm            `json:"arms" jsonschema:"two like populations, of which only one gets the fault"`
	AtLeast   mishap.Duration     `json:"atLeast,omitempty" jsonschema:"how long the fault is in force before anything is cleared, default 60s: as long as a cache, a pool or a circuit needs to show harm; a clear says nothing about later"`
	Baseline  mishap.BaselineTime `json:"baseline,omitzero" jsonschema:"how long the arms are watched before any fault: a time, or auto (the default): as long as needed, 60s at least and 15m at most; auto up to 30m sets another most"`
	Alpha     float64             `json:"alpha,omitempty" jsonschema:"most probability of each kind of wrong verdict, default 0.01"`
	Patience  mishap.Duration     `json:"patience,omitempty" jsonschema:"a request without an answer for so long has failed, default 2s"`
	Success   *successForm        `json:"success,omitempty" jsonschema:"what of an answer is a success; default: what is no error of the server"`
	Metrics   []compareMetricForm `json:"metrics" jsonschema:"what is compared"`
	StopAfter stopAfterForm       `json:"stopAfter,omitzero" jsonschema:"harm that ends the comparison whatever the evidence"`
}

type armsForm struct {
	From  mishap.ArmsFrom `json:"from" jsonschema:"where the arms come from: requests, or targets"`
	Proxy string          `json:"proxy,omitempty" jsonschema:"of requests: the proxy at the edge that assigns requests to the arms"`
	Key   string          `json:"key,omitempty" jsonschema:"of requests: what makes a unit that stays in its arm: cookie:NAME, header:NAME or source; request (or connection) draws anew for each, for callers that have no users"`
	Share mishap.Share    `json:"share,omitempty" jsonschema:"of requests: part of the units that each arm gets, at most 50%"`
	Seed  int             `json:"seed,omitempty" jsonschema:"of requests: what the assignment is drawn with; default: drawn for each run, and recorded"`
}

type compareMetricForm struct {
	Name   string            `json:"name,omitempty" jsonschema:"unique among the metrics; default: the metric"`
	Metric mishap.MetricKind `json:"metric" jsonschema:"success-rate, event-rate, latency or gauge"`
	Source string            `json:"source,omitempty" jsonschema:"where its numbers come from, default proxy"`
	With   json.RawMessage   `json:"with,omitempty" jsonschema:"the source's parameters"`
	Unit   string            `json:"unit,omitempty" jsonschema:"the label (or attribute) of the source's numbers that says of which unit they are, so that they can decide: of users slot, which is mishap.slot of the baggage; of targets what names a target, such as instance or pod"`
	Harm   mishap.Direction  `json:"harm,omitempty" jsonschema:"which way harm lies: increase or decrease; a success rate can only decrease, a latency only increase"`
	Margin marginText        `json:"margin,omitempty" jsonschema:"tolerance: harm below it neither stops a run nor keeps it from holding: 0.5pp (percentage points of failures), 20% (that much more, or less), or a number in the gauge's unit; without it any harm stops, and the metric needs no clearing"`
	Weight float64           `json:"weight,omitempty" jsonschema:"of older files; it is no longer used"`

	Quantiles []mishap.Quantile `json:"quantiles,omitempty" jsonschema:"of a latency: the quantiles that are compared, default [p50, p90, p99]"`
	Floor     mishap.Duration   `json:"floor,omitempty" jsonschema:"of a latency: a slowdown of less is none, default 1ms"`
	Path      string            `json:"path,omitempty" jsonschema:"only requests of this path, such as /cart or /cart/*; of gRPC /package.Service/Method"`
	Method    string            `json:"method,omitempty" jsonschema:"only requests of this method, such as POST"`
}

type successForm struct {
	Status mishap.StatusSet `json:"status,omitzero" jsonschema:"codes of HTTP that are a success: 2xx, 200-399, or 200, 404; default: all but 5xx"`
	Not    *failingForm     `json:"not,omitempty" jsonschema:"an answer that fits one of these has failed, whatever its status"`
}

type failingForm struct {
	BodyContains string            `json:"bodyContains,omitempty" jsonschema:"a text in the beginning of the answer"`
	JSON         map[string]string `json:"json,omitempty" jsonschema:"members of a JSON answer and their value, such as {status: error}; dots go deeper, and * is any value but null"`
	Header       map[string]string `json:"header,omitempty" jsonschema:"headers of the answer and their value; * is any value"`
	GRPCStatus   []int             `json:"grpcStatus,omitempty" jsonschema:"codes of gRPC that are failures besides those of the server, such as [8]"`
}

type stopAfterForm struct {
	ExtraFailures float64 `json:"extraFailures,omitempty" jsonschema:"failed requests of the experiment beyond control's share, every attempt of everybody; the run is then inconclusive"`
}

// marginText is a margin as it is written: a number and pp, %, or nothing.
type marginText struct {
	number float64
	unit   string
}

// Form is what errors show of how it is written.
func (marginText) Form() (name, example string) { return "a margin", "0.5pp" }

// UnmarshalText reads a margin.
func (m *marginText) UnmarshalText(text []byte) error {
	number := strings.TrimSpace(string(text))
	for _, unit := range []string{"pp", "%"} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, m.unit = strings.TrimSpace(rest), unit
			break
		}
	}
	n, err := mishap.ParseNumber(number)
	if m.number = n.Float(); err != nil || !(m.number > 0) || m.number > 1e12 {
		return fmt.Errorf("margin %q must be above 0, such as 0.5pp, 20%% or 3", shorten(string(text)))
	}
	return nil
}

func (c *compareForm) setDefaults() {
	c.AtLeast, c.Baseline, c.Alpha, c.Patience = mishap.DefaultAtLeast, mishap.AutoBaseline(), 0.01, mishap.DefaultPatience
}

// defaultSource is the proxy that assigns requests to arms.
const defaultSource = mishap.ProxySource

func (m *compareMetricForm) setDefaults() { m.Source = defaultSource }

// margin is what the text means for the metric.
func (m *compareMetricForm) margin() mishap.Margin {
	switch {
	case m.Margin.unit == "pp":
		return mishap.Margin{Difference: m.Margin.number / 100}
	case m.Margin.unit == "%" && m.Metric == mishap.SuccessRate, m.Margin.unit == "%" && m.direction() == mishap.Increase:
		return mishap.Margin{Ratio: 1 + m.Margin.number/100} // a success rate's is of its failures
	case m.Margin.unit == "%":
		return mishap.Margin{Ratio: 1 - m.Margin.number/100}
	}
	return mishap.Margin{Difference: m.Margin.number}
}

// direction is which way harm lies, also where the file leaves it out.
func (m *compareMetricForm) direction() mishap.Direction {
	switch {
	case m.Harm != "":
		return m.Harm
	case m.Metric == mishap.Latency:
		return mishap.Increase
	}
	return mishap.Decrease
}

func (m *compareMetricForm) metric() mishap.CompareMetric {
	out := mishap.CompareMetric{
		Name: m.Name, Metric: m.Metric, Source: m.Source, With: m.With, Unit: m.Unit, Harm: m.direction(), Weight: m.Weight,
		Quantiles: m.Quantiles, Floor: m.Floor, Path: m.Path, Method: m.Method,
	}
	if out.Name == "" {
		out.Name = string(m.Metric)
	}
	if m.Margin.number > 0 {
		out.Margin = m.margin()
	}
	return out
}

func (c *compareForm) compare() *mishap.Compare {
	out := &mishap.Compare{
		Arms:    mishap.Arms{From: c.Arms.From, Proxy: c.Arms.Proxy, Key: c.Arms.Key, Share: c.Arms.Share, Seed: uint64(max(c.Arms.Seed, 0))},
		AtLeast: c.AtLeast, Baseline: c.Baseline, Alpha: c.Alpha, Patience: c.Patience, Success: c.Success.success(), StopAfter: mishap.StopAfter(c.StopAfter),
	}
	for i := range c.Metrics {
		out.Metrics = append(out.Metrics, c.Metrics[i].metric())
	}
	return out
}

func (s *successForm) success() *mishap.Success {
	if s == nil {
		return nil
	}
	return &mishap.Success{Status: s.Status, Not: (*mishap.Failing)(s.Not)}
}
