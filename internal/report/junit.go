package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"` // seconds, of all runs together
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name  string `xml:"name,attr"`
	Class string `xml:"classname,attr"`
	Time  string `xml:"time,attr"`
	// Properties are numbers of the run, for who plots them.
	Properties []junitProperty `xml:"properties>property"`
	Failure    *junitWhy       `xml:"failure,omitempty"`
	Error      *junitWhy       `xml:"error,omitempty"`
	Skipped    *junitWhy       `xml:"skipped,omitempty"`
	Out        junitCDATA      `xml:"system-out"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitWhy struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
}

type junitCDATA struct {
	Text string `xml:",cdata"`
}

// Suite is several runs, as whoever started them looks at them.
type Suite struct {
	Runs         []*mishap.Run
	NotRun       []mishap.Experiment     // that were to run too
	Why          string                  // they did not
	AllowRefused bool                    // a run that was refused is no failure
	Page         func(run string) string // the address of a run's page; nil: none has one
}

// Passes reports whether a run of the suite keeps it from failing.
func (s Suite) Passes(r *mishap.Run) bool {
	outcome := mishap.OutcomeOf(r)
	return outcome == mishap.OutcomeHeld || s.AllowRefused && outcome == mishap.OutcomeRefused
}

// JUnit writes runs as a test suite, in which no run may be refused.
func JUnit(w io.Writer, runs []*mishap.Run) error { return Suite{Runs: runs}.JUnit(w) }

// JUnit writes the runs as a test suite: held passes, deviated is a failure, and
// everything else an error: refused, inconclusive, stranded, not over, or ended
// because mishap itself failed. Skipped is what did not run, and what was refused
// if that is allowed.
func (s Suite) JUnit(w io.Writer) error {
	suite := junitSuite{Name: "mishap", Tests: len(s.Runs) + len(s.NotRun), Cases: []junitCase{}}
	var total time.Duration
	for _, r := range s.Runs {
		var took time.Duration
		if !r.EndedAt.IsZero() {
			took = words.Between(r.PlannedAt, r.EndedAt)
		}
		total += took
		c := newCase(r.Plan.Experiment, took)
		c.Properties = properties(r)
		if s.Page != nil && s.Page(r.ID) != "" {
			c.Properties = append(c.Properties, junitProperty{"url", words.Clean(s.Page(r.ID))})
		}
		suite.count(&c, r, s.AllowRefused)
		var text bytes.Buffer
		if err := Text(&text, r); err != nil {
			return err
		}
		c.Out.Text = text.String()
		suite.Cases = append(suite.Cases, c)
	}
	for _, e := range s.NotRun {
		c := newCase(e, 0)
		c.Skipped = &junitWhy{Message: words.Clean("not run: " + s.Why)}
		suite.Skipped++
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = seconds(total)
	out, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, out)
	return err
}

func newCase(e mishap.Experiment, took time.Duration) junitCase {
	return junitCase{Name: words.Clean(e.Name), Class: words.Clean(e.Group), Time: seconds(took)}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// properties are what of a run is a number.
func properties(r *mishap.Run) []junitProperty {
	all := []junitProperty{{"run", words.Clean(r.ID)}}
	if a := Compared(r); a != nil && a.Intervals != nil {
		all = append(all, rowProperties(a)...)
	} else if a != nil && a.Phase == mishap.InHold {
		all = append(all,
			junitProperty{"proofOfHarm", fmt.Sprintf("%.3f", a.Harm)}, junitProperty{"proofOfNoHarm", fmt.Sprintf("%.3f", a.Clear)},
			junitProperty{"extraFailedRequests", fmt.Sprintf("%.0f", a.extra)})
	}
	if rec := r.Recovered; rec != nil && rec.In {
		after, within := rec.Range() // it was back between the two
		all = append(all, junitProperty{"recoverySeconds", seconds(within)}, junitProperty{"recoverySecondsAtLeast", seconds(after)})
	}
	if cost := mishap.EstimateCost(r); cost != nil {
		all = append(all, junitProperty{"estimatedCost", words.Joined(" ", words.Money(cost.Amount), words.Clean(cost.Currency))})
	}
	return all
}

// count classifies the run and counts it.
func (s *junitSuite) count(c *junitCase, r *mishap.Run, allowRefused bool) {
	verdict, reason := mishap.Judge(r)
	outcome := mishap.OutcomeOf(r)
	switch {
	case outcome == mishap.OutcomeHeld:
	case verdict == mishap.Deviated:
		c.Failure = &junitWhy{Message: words.Clean(reason), Type: string(verdict)}
		s.Failures++
	case outcome == mishap.OutcomeRefused && allowRefused:
		c.Skipped = &junitWhy{Message: words.Clean(reason)}
		s.Skipped++
	case outcome == mishap.OutcomeRefused:
		c.Error = &junitWhy{Message: words.Clean(reason), Type: string(mishap.Refused)}
		s.Errors++
	case verdict == mishap.Inconclusive:
		c.Error = &junitWhy{Message: words.Clean(reason), Type: string(verdict)}
		s.Errors++
	case verdict == mishap.Held:
		c.Error = &junitWhy{Message: "held, but mishap itself failed on the way", Type: "internal"}
		s.Errors++
	default:
		c.Error = &junitWhy{Message: words.Clean(headline(r)), Type: string(r.State)}
		s.Errors++
	}
}

// rowProperties are the rows as numbers, for who plots them.
func rowProperties(a *Arms) []junitProperty {
	all := []junitProperty{{"extraFailedRequests", fmt.Sprintf("%.0f", a.extra)}}
	if a.Outcome == mishap.HarmRuledOut {
		all = append(all, junitProperty{"heldSeconds", seconds(a.Intervals.In.Std())})
	}
	if i := a.Intervals; i.Met != nil && i.Requests != nil {
		all = append(all, junitProperty{"requestsThatMetTheFault", fmt.Sprintf("%d of %d; of control %d of %d", i.Met.Experiment, i.Requests.Experiment, i.Met.Control, i.Requests.Control)})
	}
	for _, r := range ShownRows(a.Intervals) {
		all = append(all, junitProperty{words.Clean(r.Name()), fmt.Sprintf("%s, margin %s: %s", r.Range(), r.Limit(), r.Standing())})
	}
	return all
}
