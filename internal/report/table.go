package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// List writes a table of experiments, each with its claim and what stands says
// of it, if anything.
func List(w io.Writer, experiments []mishap.Experiment, stands func(mishap.Experiment) []string) error {
	p := newPage(w)
	if len(experiments) == 0 {
		p.line(0, "no experiments")
		return p.to(w)
	}
	columns := p.fit(0, 8, 38+p.spare()/2, 22+p.spare()/2)
	p.row(0, columns, "EXPERIMENT", "INJECTORS", "AT MOST")
	for _, e := range experiments {
		var used []string
		for _, f := range e.Faults {
			used = append(used, f.Injector)
		}
		p.row(0, columns, e.Name, strings.Join(used, ", "), words.Took(e.Longest()))
		p.line(2, "%s", e.Claim)
		p.line(2, "%s", e.Source.File)
		for _, line := range stands(e) {
			p.brief(2, "%s", line)
		}
	}
	return p.to(w)
}

// Pages is the address of a run's page; empty if it has none.
type Pages func(run string) string

// Status writes a table of runs, in the order given, and below each its page, if it has
// one, and what is or may still be in force.
func Status(w io.Writer, runs []*mishap.Run, pages Pages, now time.Time) error {
	p := newPage(w)
	if len(runs) == 0 {
		p.line(0, "no runs yet")
		return p.to(w)
	}
	ids := 14
	for _, r := range runs {
		ids = idColumns(ids, r.ID)
	}
	columns := []int{ids, 45 - ids + p.spare(), 9, 12}
	p.named(1, columns, "RUN", "EXPERIMENT", "STATE", "VERDICT", "SINCE")
	for _, r := range runs {
		verdict, _ := mishap.Judge(r)
		p.named(1, columns, r.ID, r.Plan.Experiment.Name, words.Standing(mishap.NoVerdict, r.State, r.Cause), words.OrElse(string(verdict), "-"), ago(words.Between(since(r), now)))
		p.link(pages(r.ID))
		if r.State == mishap.Refused {
			p.brief(2, "did not start (%s): %s", r.Cause, r.Reason)
		}
		left := r.Outstanding()
		for _, in := range left {
			p.brief(2, "%s: %s, %s", inWords(r), On(in), words.Joined(": ", string(in.State), Failing(in)))
		}
		if r.State == mishap.Stranded {
			p.line(2, "to end it: mishap revert %s", r.ID)
		}
	}
	return p.to(w)
}

// Standing is what status says beside the runs.
type Standing struct {
	Servers []string // that use this ledger now, on this host, in words
	Sources []SourceStanding
	Locks   []mishap.Lock
	Waiting []mishap.Waiting
	Left    []string // what a restart left in the process of a proxy before, in words

	Experiments []ExperimentStanding
	Unserved    bool   // no server of this host would run what is due
	Halted      string // by whom, when and why nothing starts; empty if it is not so
}

// ExperimentStanding is what ran last of an experiment, and when it is due next.
type ExperimentStanding struct {
	Name    string         `json:"experiment"`
	Run     string         `json:"run,omitempty" doc:"absent if none was ever begun"`
	State   mishap.State   `json:"state,omitempty"`
	Verdict mishap.Verdict `json:"verdict,omitempty"`
	Began   time.Time      `json:"began,omitzero"`
	Next    time.Time      `json:"next,omitzero" doc:"when it is due; absent: it has no schedule"`
}

// idColumns is what a column of ids takes that has one more: those of runs that servers
// begin have 16 letters.
func idColumns(columns int, id string) int {
	const most = 16
	return min(max(columns, len(id)), most)
}

// mostExperiments is how many of them status lists.
const mostExperiments = 20

// due writes what ran last and what is due next of all experiments, unless the latest
// runs, which follow, say as much of each.
func (s Standing) due(p *page, shown []*mishap.Run, pages Pages, now time.Time) {
	below := func(run string) bool {
		return slices.ContainsFunc(shown, func(r *mishap.Run) bool { return r.ID == run })
	}
	if !slices.ContainsFunc(s.Experiments, func(e ExperimentStanding) bool { return !e.Next.IsZero() || !below(e.Run) }) {
		return
	}
	some := slices.Clone(s.Experiments)
	slices.SortStableFunc(some, func(a, b ExperimentStanding) int { // what is due soon first, then by name
		if a.Next.IsZero() != b.Next.IsZero() {
			return map[bool]int{true: 1, false: -1}[a.Next.IsZero()]
		}
		return cmp.Or(a.Next.Compare(b.Next), strings.Compare(a.Name, b.Name))
	})
	ids := 9
	for _, e := range some[:min(len(some), mostExperiments)] {
		ids = idColumns(ids, e.Run)
	}
	columns := []int{40 - ids + p.spare(), ids, 12, 4}
	p.named(0, columns, "EXPERIMENT", "LAST RUN", "VERDICT", "AGO", "NEXT, UTC")
	for i, e := range some {
		if i == mostExperiments {
			p.line(0, "and %d more; `mishap schedule` shows those of a folder", len(some)-i)
			break
		}
		verdict, began, next := "-", "-", "-"
		if e.Run != "" {
			verdict, began = words.OrElse(string(e.Verdict), string(e.State)), ago(words.Between(e.Began, now))
		}
		if !e.Next.IsZero() {
			next = e.Next.UTC().Format("Mon 01-02 15:04")
			if s.Halted != "" {
				next = "halted"
			}
		}
		p.named(0, columns, e.Name, words.OrElse(e.Run, "-"), verdict, began, next)
		if e.Run != "" && !below(e.Run) {
			p.link(pages(e.Run))
		}
	}
	if s.Unserved && !some[0].Next.IsZero() {
		p.line(0, "no server of this host serves this ledger now, and only one does run what is due")
	}
	p.blank()
}

// SourceStanding is what of a source is in force, and why something is not.
type SourceStanding struct {
	Name     string
	Commit   string // empty outside git
	Since    time.Time
	Revision int64
	Problem  string
	Holds    string // why none of it runs
}

// Write writes who serves, what is in force, broken and locked, and what is due;
// nothing if there is nothing. What of experiments the runs that are shown say is
// not said twice.
func (s Standing) Write(w io.Writer, shown []*mishap.Run, pages Pages, now time.Time) error {
	p := newPage(w)
	s.notices(p)
	if p.Len() > 0 {
		p.blank()
	}
	s.due(p, shown, pages, now)
	return p.to(w)
}

// mostReason is how much of a reason a list shows, in columns; the report of its run and
// JSON have all of it.
const mostReason = 320

// brief is a line of a list, whose reasons may be of any length.
func (p *page) brief(in int, format string, args ...any) {
	p.line(in, "%s", words.Cut(words.Clean(fmt.Sprintf(format, args...)), mostReason))
}

// link is an address on a line of its own, so that it can be followed.
func (p *page) link(to string) {
	if to != "" {
		p.line(2, "%s", to)
	}
}

// notices are what somebody may have to act on.
func (s Standing) notices(p *page) {
	if s.Halted != "" {
		p.brief(0, "HALTED: nothing starts until `mishap resume`; %s", s.Halted)
	}
	for _, text := range s.Servers {
		p.line(0, "%s", text)
	}
	for _, src := range s.Sources {
		commit := "not in git"
		if src.Commit != "" {
			commit = fmt.Sprintf("commit %.12s", src.Commit)
		}
		if src.Revision == 0 {
			p.line(0, "source %s: nothing is in force", src.Name)
		} else {
			p.line(0, "source %s: %s, revision %d, in force since %s", src.Name, commit, src.Revision, words.Moment(src.Since))
		}
		if src.Holds != "" {
			p.brief(2, "NOTHING OF IT RUNS: %s", src.Holds)
		}
		if src.Problem != "" {
			stays := ", so that the last good one stays"
			if src.Holds != "" {
				stays = ""
			}
			p.line(2, "BROKEN%s:", stays)
			for _, line := range words.WithoutExcerpts(src.Problem) {
				p.brief(4, "%s", line)
			}
		}
	}
	for _, l := range s.Locks {
		p.brief(0, "LOCKED: %s deviated in run %s: %s", l.Experiment, l.Run, l.Reason)
		p.line(2, "to let it run again: mishap unlock %s --reason WHY", l.Experiment)
	}
	for _, text := range s.Left {
		p.line(0, "%s", text)
	}
	for _, one := range s.Waiting {
		p.brief(0, "WAITING: %s since %s: %s", one.Experiment, words.Moment(one.Since), words.OrElse(one.Why, "it is being planned"))
	}
}

// inWords is loud about what nobody takes out any more.
func inWords(r *mishap.Run) string {
	if r.State == mishap.Stranded {
		return "STILL IN FORCE"
	}
	return "in force"
}

// since is when the run came to the state that it is in, as far as it remembers.
func since(r *mishap.Run) time.Time {
	at := r.PlannedAt
	for _, t := range []time.Time{r.InjectedAt, r.HoldingAt, r.RevertingAt, r.RevertedAt, r.EndedAt} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// ago is a time in the past, roughly.
func ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Rhythm says in words when a schedule is due: "0 10 * * MON-FRI in UTC".
func Rhythm(s mishap.Schedule) string {
	text := s.Cron
	if s.About != nil {
		text = fmt.Sprintf("about every %d working days, %s,", s.About.Every, s.About.Hours)
	}
	text += " in " + s.Timezone
	if s.Jitter > 0 {
		text += fmt.Sprintf(", up to %s later", s.Jitter)
	}
	return text
}

// Moment is a time as the schedule's zone shows it.
func Moment(t time.Time, s mishap.Schedule) string {
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04:05 MST")
}

// Due writes one time of a schedule: when, and why it would not run.
func Due(w io.Writer, at time.Time, s mishap.Schedule, reason string) error {
	what := "runs"
	if reason != "" {
		what = "does not run: " + reason
	}
	const column = 32
	width := newPage(w).columns - column
	lines := words.Wrap(what, width, width)
	_, err := fmt.Fprintf(w, "  %-*s%s\n", column-2, Moment(at, s), strings.Join(lines, "\n"+strings.Repeat(" ", column)))
	return err
}
