package mishap

import "time"

// Intervals are what a look knows of a run that is judged by intervals: one per
// claim, each right at every look. The verdict is read off them, and they are
// what is shown.
type Intervals struct {
	Rows []Row `json:"rows,omitempty"`
	// Sooner are rows that decided without being one of Rows: of a newer part of
	// the time, of units' first requests, of all requests where Rows are of those
	// that met the fault. Only what is beyond its margin is listed.
	Sooner []Row `json:"sooner,omitempty"`
	// Beside are rows of all requests, where Rows are of those that met the fault:
	// they stop a run, and those that say Clears have to be within too.
	Beside []Row `json:"beside,omitempty"`
	// Guards compare with the baseline what nobody drew lots for: control alone,
	// and both arms together.
	Guards []Guard `json:"guards,omitempty"`
	// In is how long the fault was in by the newest request that is counted.
	In Duration `json:"in,omitempty"`
	// Units are how many are behind the rows, as if all were equally active.
	Units *ArmCount `json:"units,omitempty"`
	// Met is how many requests met the fault, or in control would have; nil if
	// nobody knows.
	Met       *ArmCount `json:"met,omitempty"`
	Requests  *ArmCount `json:"requests,omitempty"`  // all of them
	Rejected  *ArmCount `json:"rejected,omitempty"`  // answers of 4xx
	Baseline  Duration  `json:"baseline,omitempty"`  // how long it was
	Unclaimed []string  `json:"unclaimed,omitempty"` // what this says nothing of
	Waits     []string  `json:"waits,omitempty"`     // why nothing is cleared yet
	Earliest  Duration  `json:"earliest,omitempty"`  // the soonest that it may be cleared, from the injection on
}

// RowState is where an interval lies.
type RowState string

// The states of a row.
const (
	Within  RowState = "within" // wholly below the margin
	Beyond  RowState = "beyond" // wholly above it
	Open    RowState = "open"   // across it: the data does not decide
	NoLimit RowState = "none"   // there is no margin, and no harm shown
)

// Row is one claim with the interval that decides it.
type Row struct {
	Metric     string    `json:"metric"`           // the name of its metric
	What       string    `json:"what"`             // what is counted, such as "failed", or "slower, p99"
	Of         string    `json:"of,omitempty"`     // a part: "first requests", "all requests"; empty: what the metric is of
	Since      time.Time `json:"since,omitzero"`   // the beginning of a newer part; zero: the injection
	Control    RowArm    `json:"control"`          //
	Experiment RowArm    `json:"experiment"`       //
	More       Interval  `json:"more"`             // in the experiment: of shares (0.005 is 0.5pp), or how many times as many
	Same       float64   `json:"same,omitempty"`   // what More is if the fault does nothing
	Margin     float64   `json:"margin"`           // in the same unit
	Ratio      bool      `json:"ratio,omitempty"`  // More, Same and Margin are how many times control's: 1.2 is a fifth more
	Down       bool      `json:"down,omitempty"`   // fewer is harm
	State      RowState  `json:"state"`            //
	Shown      bool      `json:"shown,omitempty"`  // harm is, though it may be within the margin
	Clears     bool      `json:"clears,omitempty"` // it has to be within for the run to hold
	Newest     bool      `json:"newest,omitempty"` // its newest third is within too
}

// RowArm is what one arm had.
type RowArm struct {
	Bad   int64    `json:"bad"`
	Of    int64    `json:"of"`
	Slow  Duration `json:"slow,omitempty"`  // of latencies: Bad are the answers slower than that
	Units int64    `json:"units,omitempty"` // that had any; of events Of is the same
}

// Guard is one thing beside what it was in the baseline.
type Guard struct {
	Metric string   `json:"metric"`
	What   string   `json:"what"`
	Of     string   `json:"of"` // "control", or "both arms"
	Before float64  `json:"before"`
	Now    float64  `json:"now"`
	More   Interval `json:"more"`
	Margin float64  `json:"margin"`
	State  RowState `json:"state"`
	// Rate says that the numbers are events per second, and no shares.
	Rate bool `json:"rate,omitempty"`
}
