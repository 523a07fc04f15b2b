package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mishap"
)

// Summary is a run as one JSON object.
type Summary struct {
	Run        string             `json:"run"`
	Experiment string             `json:"experiment"`
	Claim      string             `json:"claim"`
	State      mishap.State       `json:"state"`
	Verdict    *mishap.Verdict    `json:"verdict"` // null if there is none
	Reason     string             `json:"reason"`
	Cause      mishap.Cause       `json:"cause,omitempty"`
	By         string             `json:"by,omitempty"`
	ExitCode   int                `json:"exitCode"`
	Started    time.Time          `json:"started"`
	Ended      time.Time          `json:"ended,omitzero"`
	Source     mishap.Source      `json:"source"`
	PlanDigest string             `json:"planDigest"`
	Injections []SummaryInjection `json:"injections"`
	Probes     []SummaryProbe     `json:"probes"`
	Recovered  *mishap.Recovered  `json:"recovered,omitempty"`
	Checks     []mishap.Check     `json:"safeguards,omitempty"`
	Notes      []string           `json:"notes,omitempty"`
}

// SummaryInjection is one injection of a summary.
type SummaryInjection struct {
	ID         string                `json:"id"`
	Fault      string                `json:"fault"`
	Injector   string                `json:"injector"`
	Target     mishap.Target         `json:"target"`
	State      mishap.InjectionState `json:"state"`
	Detail     string                `json:"detail,omitempty"`
	By         string                `json:"by,omitempty"`
	InjectedAt time.Time             `json:"injectedAt,omitzero"`
	SettledAt  time.Time             `json:"settledAt,omitzero"`
	Looks      int                   `json:"looks"`
	NotInForce int                   `json:"notInForce"`
	Traffic    *mishap.Traffic       `json:"traffic,omitempty"`
}

// SummaryProbe is one probe of a summary: its observations while faults were in.
type SummaryProbe struct {
	Name      string             `json:"name"`
	Met       int                `json:"met"`
	Unmet     int                `json:"unmet"`
	Unknown   int                `json:"unknown"`
	Deviation string             `json:"deviation,omitempty"`
	Blind     string             `json:"blind,omitempty"`
	Last      mishap.Observation `json:"last"`
}

// Summarize makes the summary of a run.
func Summarize(r *mishap.Run) Summary {
	verdict, reason := mishap.Judge(r)
	e := r.Plan.Experiment
	s := Summary{
		Run: r.ID, Experiment: e.Name, Claim: e.Claim, State: r.State, Reason: reason, Cause: r.Cause, By: r.By,
		ExitCode: mishap.OutcomeOf(r).ExitCode(), Started: r.PlannedAt.UTC(), Source: e.Source, PlanDigest: r.Plan.Digest,
		Injections: []SummaryInjection{}, Probes: []SummaryProbe{}, Recovered: r.Recovered, Notes: r.Notes,
	}
	if !r.EndedAt.IsZero() {
		s.Ended = r.EndedAt.UTC()
	}
	if verdict != mishap.NoVerdict {
		s.Verdict = &verdict
	}
	for _, in := range r.Injections {
		s.Injections = append(s.Injections, SummaryInjection{
			ID: in.ID, Fault: in.Fault, Injector: in.Injector, Target: in.Target, State: in.State, Detail: in.Detail, By: in.By,
			InjectedAt: in.InjectedAt.UTC(), SettledAt: in.SettledAt.UTC(), Looks: in.Looks, NotInForce: in.NotInForce, Traffic: in.Felt,
		})
	}
	for _, w := range r.Watches {
		s.Probes = append(s.Probes, SummaryProbe{Name: w.Spec.Name, Met: w.Met, Unmet: w.Unmet, Unknown: w.Unknown, Deviation: w.Deviation, Blind: w.Blind, Last: w.Last})
	}
	for _, name := range sortedChecks(r) {
		s.Checks = append(s.Checks, r.Checks[name])
	}
	return s
}

// JSON writes the run as one object on one line.
func JSON(w io.Writer, r *mishap.Run) error { return json.NewEncoder(w).Encode(Summarize(r)) }

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string      `xml:"name,attr"`
	Class   string      `xml:"classname,attr"`
	Time    string      `xml:"time,attr"`
	Failure *junitWhy   `xml:"failure,omitempty"`
	Error   *junitWhy   `xml:"error,omitempty"`
	Skipped *junitWhy   `xml:"skipped,omitempty"`
	Out     *junitPlain `xml:"system-out,omitempty"`
}

type junitWhy struct {
	Message string `xml:"message,attr"`
}

type junitPlain struct {
	Text string `xml:",cdata"`
}

// JUnit writes runs as a test suite: deviated is a failure, inconclusive and
// whatever is not over an error, refused is skipped.
func JUnit(w io.Writer, runs []*mishap.Run) error {
	suite := junitSuite{Name: "mishap", Tests: len(runs)}
	for _, r := range runs {
		verdict, reason := mishap.Judge(r)
		why := &junitWhy{Message: clean(reason)}
		c := junitCase{Name: r.Plan.Experiment.Name, Class: r.Plan.Experiment.Group}
		if !r.EndedAt.IsZero() {
			c.Time = fmt.Sprintf("%.3f", r.EndedAt.Sub(r.PlannedAt).Seconds())
		}
		switch {
		case verdict == mishap.Deviated:
			c.Failure = why
			suite.Failures++
		case r.State == mishap.Refused:
			c.Skipped = why
			suite.Skipped++
		case verdict != mishap.Held:
			if r.State != mishap.Completed {
				why.Message = fmt.Sprintf("the run is %s: %s", r.State, why.Message)
			}
			c.Error = why
			suite.Errors++
		}
		var text bytes.Buffer
		if err := Text(&text, r); err != nil {
			return err
		}
		c.Out = &junitPlain{Text: text.String()}
		suite.Cases = append(suite.Cases, c)
	}
	out, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, out)
	return err
}

// WriteJournal writes a journal, one entry per line.
func WriteJournal(w io.Writer, entries []mishap.Entry) error {
	encoder := json.NewEncoder(w)
	for _, e := range entries {
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("write journal: %w", err)
		}
	}
	return nil
}

// mostJournal is the largest journal that is read, in bytes.
const mostJournal = 64 << 20

// ReadJournal reads what [WriteJournal] wrote. Errors name the line.
func ReadJournal(r io.Reader) ([]mishap.Entry, error) {
	limited := &io.LimitedReader{R: r, N: mostJournal + 1}
	lines := bufio.NewReader(limited)
	var entries []mishap.Entry
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if limited.N <= 0 {
			return nil, fmt.Errorf("read journal: it is longer than %d MiB", mostJournal>>20)
		}
		if text := strings.TrimSpace(string(line)); text != "" {
			var e mishap.Entry
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.DisallowUnknownFields()
			if bad := decoder.Decode(&e); bad != nil {
				return nil, fmt.Errorf("read journal: line %d: %w", n, bad)
			}
			entries = append(entries, e)
		}
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
	}
}
