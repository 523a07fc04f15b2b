package live

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mishap"
	"mishap/internal/plaintext"
	"mishap/internal/report/words"
)

// redraw is the time between two drawings, besides those at state changes.
const redraw = 250 * time.Millisecond

// What a terminal is told.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	clearLine  = "\r\x1b[2K"
	clearBelow = "\x1b[J"
	plainStyle = "\x1b[0m"
	bold       = "\x1b[1m"
	red        = "\x1b[31m"
	green      = "\x1b[32m"
	yellow     = "\x1b[33m"
)

// screen redraws a few lines in place.
type screen struct {
	w       io.Writer
	size    func() (columns, rows int)
	colour  bool
	passing bool // nothing is left in the end
	now     func() time.Time
	drawer  *background

	mu     sync.Mutex // never held while writing
	latest *picture
	past   []*picture // of runs that are over, not drawn yet
	said   string     // not written yet

	// Only the drawer touches these.
	drawn  int    // lines on the screen that are drawn over
	before string // what they say
	hidden bool
}

func newTerminal(w io.Writer, size func() (columns, rows int), colour, passing bool, now func() time.Time) *screen {
	v := &screen{w: w, size: size, colour: colour, passing: passing, now: now}
	v.drawer = inBackground(redraw, v.draw)
	return v
}

// Seen takes a picture of the run.
func (v *screen) Seen(e mishap.Entry, r *mishap.Run) {
	p := look(r)
	v.mu.Lock()
	switch l := v.latest; {
	case l == nil || l.run == p.run:
		v.latest = p
	case l.state.Ended() || l.state == mishap.Stranded:
		v.past, v.latest = append(v.past, l), p
	case p.state.Ended(): // beside the one that is drawn
		v.past = append(v.past, p)
	}
	v.mu.Unlock()
	if e.State != nil || e.Injection != nil {
		v.drawer.soon()
	}
}

// Say puts the text above what is drawn, where it stays.
func (v *screen) Say(text string) {
	v.mu.Lock()
	v.said += plaintext.Of(text)
	v.mu.Unlock()
	v.drawer.soon()
}

// Close draws once more and shows the cursor.
func (v *screen) Close() { v.drawer.end() }

// draw writes over what it drew before. What is drawn last stays: a run that is
// followed by another, or by the end of the view.
func (v *screen) draw(last bool) {
	v.mu.Lock()
	latest, past, said := v.latest, v.past, v.said
	v.past, v.said = nil, ""
	v.mu.Unlock()
	var out strings.Builder
	now := v.now()
	if said != "" {
		v.giveWay(&out)
		out.WriteString(said)
	}
	if !v.passing {
		for _, p := range past {
			v.put(&out, p.lines(now), true)
		}
	}
	switch {
	case last && v.passing:
		v.giveWay(&out)
	case latest != nil:
		v.put(&out, latest.lines(now), last)
	}
	if last && v.hidden {
		out.WriteString(showCursor)
	}
	if out.Len() > 0 {
		_, _ = io.WriteString(v.w, out.String()) // a terminal that is gone misses a view, not the run
	}
}

// giveWay takes away what is drawn, so that something else can be written.
func (v *screen) giveWay(out *strings.Builder) {
	if v.drawn > 0 {
		fmt.Fprintf(out, "\x1b[%dA", v.drawn)
	}
	out.WriteString(clearLine + clearBelow)
	v.drawn, v.before = 0, ""
}

// put draws lines over those before; final ones are all shown and stay.
func (v *screen) put(out *strings.Builder, lines []line, final bool) {
	columns, rows := v.size()
	lines = wrapped(lines, columns-1)
	if !final {
		lines = shorten(lines, rows-1)
	}
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(clearLine + v.paint(l, columns-1) + "\n")
	}
	if text.String() == v.before && !final {
		return
	}
	if !v.hidden {
		v.hidden = true
		out.WriteString(hideCursor)
	}
	if v.drawn > 0 {
		fmt.Fprintf(out, "\x1b[%dA", v.drawn)
	}
	out.WriteString(text.String() + clearBelow)
	v.drawn, v.before = len(lines), text.String()
	if final {
		v.drawn, v.before = 0, ""
	}
}

func (v *screen) paint(l line, columns int) string {
	text := words.Cut(strings.TrimRight(words.Clean(l.text), " "), columns)
	if !v.colour || l.style == "" {
		return text
	}
	return l.style + text + plainStyle
}

// wrapped breaks the lines that are whole sentences where there is no more room, and
// takes the narrow form of others.
func wrapped(lines []line, columns int) (all []line) {
	for _, l := range lines {
		if columns < wide && l.narrow != "" {
			l.text = l.narrow
		}
		text := words.Clean(l.text)
		if l.hang == 0 || words.Cells(text) <= columns || len(text) < l.hang {
			all = append(all, l)
			continue
		}
		lead := text[:l.hang]
		for _, part := range words.Wrap(text[l.hang:], columns-l.hang, columns-l.hang) {
			all = append(all, line{text: lead + part, style: l.style})
			lead = strings.Repeat(" ", l.hang)
		}
	}
	return all
}

// shorten leaves out lines from the middle, and says so, if there are more than
// most: what has left the screen cannot be drawn over.
func shorten(lines []line, most int) []line {
	if len(lines) <= most {
		return lines
	}
	keep := max(most-2, 1)
	some := append([]line{}, lines[:keep]...)
	some = append(some, line{text: fmt.Sprintf("  … %d more lines", len(lines)-keep-1)})
	return append(some, lines[len(lines)-1])
}
