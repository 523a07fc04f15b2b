package mishap

import (
	"encoding/json"
	"time"
)

// Compare says which two arms are compared, and by what. Without it the probes
// alone judge a run.
type Compare struct {
	Arms      Arms            `json:"arms"`
	AtLeast   Duration        `json:"atLeast,omitempty"`  // how long the fault is in force before anything is cleared; 0: [DefaultAtLeast]
	Baseline  BaselineTime    `json:"baseline"`           // how long the arms are watched before any fault
	Alpha     float64         `json:"alpha"`              // most probability of each kind of wrong verdict
	Patience  Duration        `json:"patience,omitempty"` // a request without an answer for so long has failed; 0: [DefaultPatience]
	Success   *Success        `json:"success,omitempty"`  // what of an answer is a success; nil: what is no error of the server
	Metrics   []CompareMetric `json:"metrics"`
	StopAfter StopAfter       `json:"stopAfter,omitzero"`
}

// What a comparison has unless its file says otherwise.
const (
	DefaultAtLeast  = Duration(time.Minute)
	DefaultPatience = Duration(2 * time.Second)
)

// Filled is the comparison with the defaults of what a plan of an older version
// does not have.
func (c Compare) Filled() Compare {
	if c.AtLeast == 0 {
		c.AtLeast = DefaultAtLeast
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	return c
}

// Arms are two like populations, of which only one, the experiment, gets the
// fault.
type Arms struct {
	From  ArmsFrom `json:"from"`
	Proxy string   `json:"proxy,omitempty"` // of requests: the proxy at the edge that assigns them
	Key   string   `json:"key,omitempty"`   // of requests: what makes a unit, such as cookie:session
	Share Share    `json:"share,omitempty"` // of requests: part of the units that each arm gets
	Seed  uint64   `json:"seed,omitempty"`  // what the assignment is drawn with; 0: drawn for each run, and recorded
}

// ArmsFrom is where arms come from.
type ArmsFrom string

// The ways to get arms.
const (
	ArmsFromRequests ArmsFrom = "requests" // a proxy at the edge assigns units of its traffic
	ArmsFromTargets  ArmsFrom = "targets"  // of the targets that match, as many others as the fault hits are control
)

// SamplesTargets reports whether control is made of targets that are like those
// that the fault hits.
func (e Experiment) SamplesTargets() bool {
	return e.Compare != nil && e.Compare.Arms.From == ArmsFromTargets
}

// ArmsFault is the name that the injection of the arms has among the faults of
// a run: arms are first in and last out.
const ArmsFault = "arms"

// CompareMetric is one thing that is compared between the arms.
type CompareMetric struct {
	Name   string          `json:"name"`             // default: Metric
	Metric MetricKind      `json:"metric"`           //
	Source string          `json:"source"`           // a name from the catalog of metric sources; default: the proxy of the arms
	With   json.RawMessage `json:"with,omitempty"`   // the source's parameters
	Unit   string          `json:"unit,omitempty"`   // the label of the source's numbers that says of which unit they are; empty: they are totals
	Harm   Direction       `json:"harm"`             // which way harm lies
	Margin Margin          `json:"margin,omitzero"`  // harm that still counts as none; zero: the metric can abort, and needs no clearing
	Weight float64         `json:"weight,omitempty"` // of old files: read, and no longer used
	// Quantiles are those of a latency that are compared by name; none: p50, p90
	// and p99. A slowdown of less than Floor is none; 0: [DefaultFloor].
	Quantiles []Quantile `json:"quantiles,omitempty"`
	Floor     Duration   `json:"floor,omitempty"`
	// Path and Method confine the metric to a part of the requests; a path that
	// ends in * is all that begin so. Empty: all requests.
	Path   string `json:"path,omitempty"`
	Method string `json:"method,omitempty"`
}

// DefaultFloor is the slowdown that is none, however fast the answers are.
const DefaultFloor = Duration(time.Millisecond)

// Guarded reports whether the metric has a margin: it must be cleared for a run
// to hold.
func (m CompareMetric) Guarded() bool { return m.Margin != Margin{} }

// MetricKind is what a metric compares.
type MetricKind string

// The kinds of metrics.
const (
	SuccessRate MetricKind = "success-rate" // successes per request
	EventRate   MetricKind = "event-rate"   // events, which need a known share of the traffic
	Latency     MetricKind = "latency"      // histograms
	Gauge       MetricKind = "gauge"        // levels of arms of equal size
)

// Direction is which way harm lies.
type Direction string

// The two directions.
const (
	Increase Direction = "increase"
	Decrease Direction = "decrease"
)

// MissedHarm is the most probability with which the comparisons of old journals
// cleared a metric whose harm is as large as its margin.
const MissedHarm = 0.01

// Margin is a tolerance: harm below it neither stops a run nor keeps it from
// holding. One of the two is set.
type Margin struct {
	Difference float64 `json:"difference,omitempty"` // of shares (0.005 is 0.5pp), or in the gauge's own unit
	Ratio      float64 `json:"ratio,omitempty"`      // 1.2 is a fifth more, 0.95 a twentieth less
}

// StopAfter is harm that ends a comparison whatever the evidence.
type StopAfter struct {
	ExtraFailures float64 `json:"extraFailures,omitempty"` // failed requests of the experiment beyond control's share; 0: no limit
}

// ComparisonOutcome is what a comparison has come to.
type ComparisonOutcome string

// The outcomes; while the comparison goes on it is empty.
const (
	HarmShown    ComparisonOutcome = "harm"         // the run deviated
	HarmRuledOut ComparisonOutcome = "clear"        // no metric has harm beyond its margin
	Undecided    ComparisonOutcome = "inconclusive" // time or harm budget over, both arms changed, or the arms are broken
)

// Comparison is one look at both arms: what happened since the look before, and
// what is known so far. Looks do not overlap; together they are all the data.
type Comparison struct {
	Phase   ComparisonPhase   `json:"phase"`
	Start   time.Time         `json:"start"` // of the stretch that the look covers
	Width   Duration          `json:"width"`
	From    time.Time         `json:"from,omitzero"` // when the requests that it counts began, which is earlier: not
	To      time.Time         `json:"to,omitzero"`   // before they are over do they count. Zero if there were none
	Metrics []MetricLook      `json:"metrics"`
	Harm    float64           `json:"harm,omitempty"`    // of looks without Intervals: proof of harm over all metrics, 0 to 1
	Extra   float64           `json:"extra,omitempty"`   // failures so far beyond what control lets expect
	Outcome ComparisonOutcome `json:"outcome,omitempty"` // once decided it stays, but for harm that shows later
	Reason  string            `json:"reason,omitempty"`  // of the outcome, one sentence
	Left    Duration          `json:"left,omitempty"`    // until the horizon
	Ready   bool              `json:"ready,omitempty"`   // the baseline is over, and the faults may come
	Doubts  []string          `json:"doubts,omitempty"`  // why nothing can be cleared, such as a metric that went missing
	// Assigned is how many units the look's stretch assigned to the arms anew.
	Assigned *ArmCount `json:"assigned,omitempty"`
	// Intervals are what decides. Looks of runs that were judged by proofs have
	// none, but Harm, and Harm and Clear of their metrics.
	Intervals *Intervals `json:"intervals,omitempty"`
}

// Span is when the requests that the look counts began.
func (c *Comparison) Span() (from, to time.Time) {
	if c.To.IsZero() {
		return c.Start, c.Start.Add(c.Width.Std())
	}
	return c.From, c.To
}

// ComparisonPhase is the part of a run that a look is of.
type ComparisonPhase string

// The phases.
const (
	InBaseline ComparisonPhase = "baseline"
	InHold     ComparisonPhase = "hold"
	InRecovery ComparisonPhase = "recovery"
)

// ArmCount is a count for each arm.
type ArmCount struct {
	Control    int64 `json:"control"`
	Experiment int64 `json:"experiment"`
}

// MetricLook is one metric of a look.
type MetricLook struct {
	Name       string   `json:"name"`
	Control    ArmLook  `json:"control"` // in the stretch of the look
	Experiment ArmLook  `json:"experiment"`
	Total      ArmsLook `json:"total,omitzero"` // since the injection, or in the baseline so far
	// Harm and Clear are of looks without [Intervals]: proofs from 0 to 1 so far,
	// of harm, and of none beyond the margin.
	Harm  float64 `json:"harm,omitempty"`
	Clear float64 `json:"clear,omitempty"`
	// Difference is that of the shares of failures, experiment minus control;
	// Ratio is the experiment's over control's. Both hold at all looks at once.
	Difference *Interval `json:"difference,omitempty"`
	Ratio      *Interval `json:"ratio,omitempty"`
}

// ArmsLook is what both arms did over a longer stretch.
type ArmsLook struct {
	Control    ArmLook `json:"control"`
	Experiment ArmLook `json:"experiment"`
}

// ArmLook is what one arm did. Which fields are set depends on the metric.
type ArmLook struct {
	Requests  int64    `json:"requests,omitempty"`
	Successes int64    `json:"successes,omitempty"`
	Events    int64    `json:"events,omitempty"`
	P50       Duration `json:"p50,omitempty"`
	P99       Duration `json:"p99,omitempty"`
	Gauge     *float64 `json:"gauge,omitempty"`
	// Bounds (in seconds, ascending) and Counts (one more) are the histogram of
	// latencies; only totals have them, and only in the last look of a phase.
	Bounds []float64 `json:"bounds,omitempty"`
	Counts []int64   `json:"counts,omitempty"`
}

// Interval is an estimate with the bounds it is believed to lie in.
type Interval struct {
	Low      float64 `json:"low"`
	Estimate float64 `json:"estimate"`
	High     float64 `json:"high"`
}
