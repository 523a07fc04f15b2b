package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// Summary is a run as one JSON object. Its keys but the last two are always
// there, in this order; what does not exist is null.
type Summary struct {
	Run        string               `json:"run"`
	Experiment string               `json:"experiment"`
	Claim      string               `json:"claim"`
	State      mishap.State         `json:"state"`
	Verdict    *mishap.Verdict      `json:"verdict"` // null if the run was refused or is not over
	Reason     string               `json:"reason"`
	Cause      mishap.Cause         `json:"cause"`
	By         string               `json:"by"`
	ExitCode   int                  `json:"exitCode"` // of a `run` that ended like this
	Started    time.Time            `json:"started"`  // UTC, as all times are
	Ended      *time.Time           `json:"ended"`
	Took       *mishap.Duration     `json:"took"`
	Trigger    mishap.Trigger       `json:"trigger"`
	Source     mishap.Source        `json:"source"`
	PlanDigest string               `json:"planDigest"`
	Injections []SummaryInjection   `json:"injections"`
	Probes     []SummaryProbe       `json:"probes"`
	Comparison *SummaryComparison   `json:"comparison"` // null without arms, or if nobody looked at them
	Cost       *SummaryCost         `json:"cost"`       // null if the experiment says no prices
	Recovered  *mishap.Recovered    `json:"recovered"`
	Disturbed  []mishap.Disturbance `json:"disturbed"` // what others changed on things of the run, meanwhile
	Safeguards []mishap.Check       `json:"safeguards"`
	Notes      []string             `json:"notes"`
	URL        string               `json:"url,omitempty"`    // of its page; absent if nobody said how people reach it
	Ledger     string               `json:"ledger,omitempty"` // that it is in: a state directory, or the address of a database without its password; absent for a journal from a file
}

// SummaryInjection is one injection of a summary.
type SummaryInjection struct {
	ID         string                `json:"id"`
	Fault      string                `json:"fault"`
	Injector   string                `json:"injector"`
	Target     mishap.Target         `json:"target"`
	State      mishap.InjectionState `json:"state"`
	Detail     string                `json:"detail"`
	By         string                `json:"by"`
	InjectedAt *time.Time            `json:"injectedAt"`
	SettledAt  *time.Time            `json:"settledAt"`
	Looks      int                   `json:"looks"`               // how often it was asked whether the fault is in force
	NotInForce int                   `json:"notInForce"`          // how often the answer was not yes
	Effect     *SummaryEffect        `json:"effect"`              // the last answer
	Traffic    *mishap.Traffic       `json:"traffic"`             // what it did to traffic, as last seen
	Uncounted  bool                  `json:"uncounted,omitempty"` // it may have affected more: the proxy that counted was started anew, or is gone
	Left       int64                 `json:"left,omitempty"`      // the most connections that a restart of the proxy had left in the process before
}

// SummaryEffect is the last answer to whether a fault is in force.
type SummaryEffect struct {
	InForce mishap.Answer `json:"inForce"`
	Detail  string        `json:"detail"`
	At      time.Time     `json:"at"`
}

// SummaryProbe is one probe of a summary: how many observations said what while
// faults were in, and the last of any phase.
type SummaryProbe struct {
	Name      string              `json:"name"`
	Met       int                 `json:"met"`
	Unmet     int                 `json:"unmet"`
	Unknown   int                 `json:"unknown"`
	Deviation string              `json:"deviation"`
	Blind     string              `json:"blind"`
	Last      *mishap.Observation `json:"last"`
}

// Summarize makes the summary of a run.
func Summarize(r *mishap.Run) Summary {
	verdict, reason := mishap.Judge(r)
	e := r.Plan.Experiment
	s := Summary{
		Run: r.ID, Experiment: e.Name, Claim: e.Claim, State: r.State, Reason: reason, Cause: r.Cause, By: r.By,
		ExitCode: mishap.OutcomeOf(r).ExitCode(), Started: r.PlannedAt.UTC(), Ended: instant(r.EndedAt),
		Trigger: r.Trigger, Source: e.Source, PlanDigest: r.Plan.Digest, Recovered: r.Recovered, Disturbed: append([]mishap.Disturbance{}, r.Disturbed...),
		Comparison: summarizeComparison(r), Cost: summarizeCost(r),
		Injections: []SummaryInjection{}, Probes: []SummaryProbe{}, Safeguards: []mishap.Check{}, Notes: slices.Concat([]string{}, r.Plan.Notes, r.Notes),
	}
	if verdict != mishap.NoVerdict {
		s.Verdict = &verdict
	}
	if s.Ended != nil {
		took := mishap.Duration(words.Between(r.PlannedAt, r.EndedAt))
		s.Took = &took
	}
	for _, in := range r.Injections {
		s.Injections = append(s.Injections, summarizeInjection(in))
	}
	for _, w := range r.Watches {
		s.Probes = append(s.Probes, summarizeProbe(w))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		s.Safeguards = append(s.Safeguards, r.Checks[name])
	}
	return s
}

func summarizeInjection(in *mishap.RunInjection) SummaryInjection {
	out := SummaryInjection{
		ID: in.ID, Fault: in.Fault, Injector: in.Injector, Target: in.Target, State: in.State, Detail: in.Detail, By: in.By,
		InjectedAt: instant(in.InjectedAt), SettledAt: instant(in.SettledAt),
		Looks: in.Looks, NotInForce: in.NotInForce, Traffic: in.Felt, Uncounted: in.Uncounted, Left: in.Left,
	}
	if in.Effect != nil {
		out.Effect = &SummaryEffect{InForce: in.Effect.InForce, Detail: in.Effect.Detail, At: in.Effect.At.UTC()}
	}
	return out
}

func summarizeProbe(w *mishap.Watch) SummaryProbe {
	out := SummaryProbe{Name: w.Spec.Name, Met: w.Met, Unmet: w.Unmet, Unknown: w.Unknown, Deviation: w.Deviation, Blind: w.Blind}
	if w.Last.Result != "" {
		last := w.Last
		last.Start = last.Start.UTC()
		out.Last = &last
	}
	return out
}

// instant is t in UTC, or null if it has not come.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// JSON writes the run as one object on one line.
func JSON(w io.Writer, r *mishap.Run) error { return JSONIn(w, r, "", "") }

// JSONIn is JSON with the ledger that the run is in, and the address of its page.
func JSONIn(w io.Writer, r *mishap.Run, ledger, page string) error {
	s := Summarize(r)
	s.Ledger, s.URL = ledger, page
	if err := encodeLine(w, s); err != nil {
		return fmt.Errorf("write run %s as json: %w", r.ID, err)
	}
	return nil
}

// SummaryComparison is what both arms have shown.
type SummaryComparison struct {
	Outcome  *mishap.ComparisonOutcome `json:"outcome"` // null while nothing is decided
	Reason   string                    `json:"reason"`
	Method   string                    `json:"method"`                  // intervals, or proofs of older runs
	What     *mishap.Intervals         `json:"intervals,omitempty"`     // what decides
	Harm     *float64                  `json:"proofOfHarm,omitempty"`   // of older runs, 0 to 1
	Clear    *float64                  `json:"proofOfNoHarm,omitempty"` // of the metric with the least, 0 to 1
	Extra    float64                   `json:"extraFailures"`
	Doubts   []string                  `json:"doubts"`
	Looks    int                       `json:"looks"`
	Baseline *mishap.Comparison        `json:"baseline"` // the last look before any fault
	Last     *mishap.Comparison        `json:"last"`     // the last look while the fault was in
}

// SummaryCost is an estimated cost in numbers and in words.
type SummaryCost struct {
	mishap.CostEstimate
	Assumes string `json:"assumes"`
}

func summarizeComparison(r *mishap.Run) *SummaryComparison {
	a := Compared(r)
	if a == nil {
		return nil
	}
	s := &SummaryComparison{Reason: a.reason, Method: "intervals", What: a.Intervals, Extra: a.extra, Doubts: append([]string{}, a.Doubts...), Looks: len(r.Looks)}
	if a.Outcome != "" {
		s.Outcome = &a.Outcome
	}
	if ByProofs(r) {
		s.Method, s.Harm = "proofs", &a.Harm
		if a.Guarded {
			s.Clear = &a.Clear
		}
	}
	for _, look := range r.Looks {
		switch look.Phase {
		case mishap.InBaseline:
			s.Baseline = inUTC(look)
		case mishap.InHold:
			s.Last = inUTC(look)
		}
	}
	return s
}

func inUTC(look *mishap.Comparison) *mishap.Comparison {
	one := *look
	one.Start = one.Start.UTC()
	return &one
}

func summarizeCost(r *mishap.Run) *SummaryCost {
	cost := mishap.EstimateCost(r)
	if cost == nil {
		return nil
	}
	return &SummaryCost{*cost, Costs(cost, *r.Plan.Experiment.Cost)}
}
