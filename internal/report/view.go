package report

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"mishap"
)

// View shows a run while it goes on.
type View interface {
	// Seen is told every entry, after the run has applied it. It does not keep
	// the run.
	Seen(e mishap.Entry, r *mishap.Run)
	// Close leaves the last state behind and the cursor below it.
	Close()
}

// NewView makes a live view on a terminal, and plain lines anywhere else.
func NewView(w io.Writer) View {
	f, ok := w.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		columns, _, err := term.GetSize(int(f.Fd()))
		if err != nil || columns > width || columns < 20 {
			columns = width
		}
		return newLive(w, columns, os.Getenv("NO_COLOR") == "")
	}
	return &plain{w: w, said: map[string]mishap.Result{}}
}

// plain writes a line whenever something changes.
type plain struct {
	w    io.Writer
	said map[string]mishap.Result // the last result per probe
}

// Seen writes what is worth a line.
func (v *plain) Seen(e mishap.Entry, r *mishap.Run) {
	for _, text := range describe(e, r, v.said) {
		fmt.Fprintf(v.w, "%s %s\n", clock(e.At), clean(text))
	}
}

// Close has nothing to do.
func (v *plain) Close() {}

// describe says in words what an entry changed; nothing for what did not.
func describe(e mishap.Entry, r *mishap.Run, said map[string]mishap.Result) []string {
	switch {
	case e.Planned != nil:
		return []string{fmt.Sprintf("run %s of %s: %s", e.Run, e.Planned.Experiment.Name, plural(len(e.Planned.Injections), "target"))}
	case e.State != nil:
		text := string(e.State.To)
		if e.State.Reason != "" {
			text += ": " + e.State.Reason
		}
		return []string{text}
	case e.Check != nil && e.Check.Answer != mishap.Yes:
		return []string{fmt.Sprintf("safeguard %s said %s: %s", e.Check.Safeguard, e.Check.Answer, e.Check.Reason)}
	case e.Observation != nil:
		o := e.Observation
		if said[o.Probe] == o.Result {
			return nil
		}
		said[o.Probe] = o.Result
		return []string{fmt.Sprintf("%s: %s %s", o.Probe, o.Result, strings.Trim(o.Value+", "+o.Detail, ", "))}
	case e.Injection != nil && (e.Injection.To == mishap.InjectionInjected || e.Injection.To == mishap.InjectionStranded || e.Injection.To.Settled()):
		in := r.Injection(e.Injection.ID)
		return []string{strings.TrimSuffix(fmt.Sprintf("%s on %s: %s, %s", in.Fault, in.Target.Label(), e.Injection.To, e.Injection.Detail), ", ")}
	case e.Recovered != nil && e.Recovered.In:
		return []string{fmt.Sprintf("recovered %s after the revert", took(e.Recovered.Took.Std()))}
	case e.Note != nil:
		return []string{e.Note.Text}
	}
	return nil
}

// live redraws a few lines in place.
type live struct {
	w       io.Writer
	columns int
	colour  bool
	mu      sync.Mutex
	state   func(time.Time) []string
	drawn   int
	stop    chan struct{}
	done    chan struct{}
}

func newLive(w io.Writer, columns int, colour bool) *live {
	v := &live{w: w, columns: columns, colour: colour, stop: make(chan struct{}), done: make(chan struct{})}
	go v.tick()
	return v
}

func (v *live) tick() {
	defer close(v.done)
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			v.mu.Lock()
			v.draw(time.Now())
			v.mu.Unlock()
		case <-v.stop:
			return
		}
	}
}

// Seen takes a picture of the run.
func (v *live) Seen(e mishap.Entry, r *mishap.Run) {
	picture := look(r)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = picture
	if e.State != nil {
		v.draw(time.Now())
	}
}

// Close draws once more.
func (v *live) Close() {
	close(v.stop)
	<-v.done
	v.mu.Lock()
	defer v.mu.Unlock()
	v.draw(time.Now())
}

// draw writes over what it drew before. The caller holds the lock.
func (v *live) draw(now time.Time) {
	if v.state == nil {
		return
	}
	var out strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", v.drawn)
	}
	lines := v.state(now)
	for i, l := range lines {
		out.WriteString("\r\x1b[2K" + v.paint(i, cut(clean(l), v.columns)) + "\n")
	}
	if v.drawn > len(lines) {
		out.WriteString("\x1b[J") // what was longer before
	}
	v.drawn = len(lines)
	_, _ = io.WriteString(v.w, out.String())
}

func (v *live) paint(line int, text string) string {
	if !v.colour || line > 0 {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func cut(text string, columns int) string {
	if r := []rune(text); len(r) >= columns {
		return string(r[:columns-2]) + "…"
	}
	return text
}

// look copies what a picture needs, so that it can be drawn while the run goes
// on.
func look(r *mishap.Run) func(time.Time) []string {
	state, total, since, ended := r.State, r.Plan.Experiment.Longest(), r.InjectedAt, r.EndedAt
	title := fmt.Sprintf("%s  %s", r.ID, r.Plan.Experiment.Name)
	reason := r.Reason
	next := nextOf(r)
	var rows []string
	for _, w := range r.Watches {
		rows = append(rows, fmt.Sprintf("  probe  %s: %d met, %d unmet, %d unknown  %s", w.Spec.Name, w.Met, w.Unmet, w.Unknown, strings.Trim(w.Last.Value+", "+w.Last.Detail, ", ")))
	}
	type fault struct {
		text string
		end  time.Time
	}
	var faults []fault
	for _, in := range r.Injections {
		f := fault{text: fmt.Sprintf("  fault  %s on %s: %s", in.Fault, in.Target.Label(), in.State)}
		if in.Felt != nil {
			f.text += fmt.Sprintf(", felt by %s", plural(int(in.Felt.Connections), "connection"))
		}
		if in.State == mishap.InjectionInjected {
			f.end = in.InjectedAt.Add(in.For.Std())
		}
		faults = append(faults, f)
	}
	return func(now time.Time) []string {
		head := title + "  " + string(state)
		if !since.IsZero() && !ended.IsZero() {
			head += "  " + took(ended.Sub(since))
		} else if !since.IsZero() {
			head += fmt.Sprintf("  %s of at most %s", now.Sub(since).Round(time.Second), took(total))
		}
		lines := append([]string{head}, rows...)
		for _, f := range faults {
			if !f.end.IsZero() {
				f.text += fmt.Sprintf(", %s left", max(0, f.end.Sub(now)).Round(time.Second))
			}
			lines = append(lines, f.text)
		}
		if reason != "" {
			lines = append(lines, "  why    "+reason)
		}
		return append(lines, "  next   "+next)
	}
}

// nextOf says what comes next.
func nextOf(r *mishap.Run) string {
	switch r.State {
	case mishap.Planned, mishap.Checking:
		return "inject, if safeguards and steady state say yes"
	case mishap.Injecting, mishap.Holding:
		for _, in := range r.Injections {
			if in.State == mishap.InjectionPrepared {
				return fmt.Sprintf("%s goes in", in.Fault)
			}
		}
		return "revert, when its time is over or at harm; Ctrl-C reverts now"
	case mishap.Reverting:
		return "verify that the steady state is back"
	case mishap.Verifying:
		return "verdict, when every probe is met twice running"
	case mishap.Stranded:
		return "a person must act: mishap revert " + r.ID
	}
	return "mishap report " + r.ID
}
