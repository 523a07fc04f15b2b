// Package report turns a run into what people and machines read: text, one JSON
// object, JUnit, its journal, and a view while it goes on. A run is the fold of
// its journal, so that a journal alone is enough for each of them.
package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"mishap"
)

// width is how many columns text takes at most.
const width = 80

// page collects lines for a person.
type page struct{ strings.Builder }

// line writes one line, wrapped with the given indent for what follows.
func (p *page) line(indent int, format string, args ...any) {
	text := clean(fmt.Sprintf(format, args...))
	lead := len(text) - len(strings.TrimLeft(text, " "))
	p.hang(text[:lead], indent, text[lead:])
}

// field writes "label   text", wrapped under the text.
func (p *page) field(label, format string, args ...any) {
	const column = 13
	p.hang(fmt.Sprintf("%-*s", column, label), column, clean(fmt.Sprintf(format, args...)))
}

// hang writes a text after a lead, and what does not fit below it, indented.
func (p *page) hang(lead string, indent int, text string) {
	for i, l := range wrap(text, width-max(indent, len(lead))) {
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		p.WriteString(strings.TrimRight(lead+l, " ") + "\n")
	}
}

func (p *page) blank() { p.WriteByte('\n') }

func (p *page) to(w io.Writer) error {
	_, err := io.WriteString(w, p.String())
	return err
}

// wrap breaks a text at spaces into lines of at most most letters; a word that
// is longer is broken too, and nothing is lost.
func wrap(text string, most int) []string {
	var line []rune
	var lines []string
	for i, word := range strings.Fields(text) {
		w := []rune(word)
		if i > 0 && len(line)+1+len(w) > most {
			lines, line = append(lines, string(line)), nil
		} else if i > 0 {
			line = append(line, ' ')
		}
		for len(line)+len(w) > most {
			room := most - len(line)
			lines, line, w = append(lines, string(line)+string(w[:room])), nil, w[room:]
		}
		line = append(line, w...)
	}
	return append(lines, string(line))
}

// clean takes out what a system under test could use to draw on a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control):
			return -1
		}
		return r
	}, text)
}

// took is a span as people read it: three digits at most.
func took(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return mishap.Duration(d.Round(time.Second)).String()
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// plural writes "1 target", "2 targets".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// headline is the outcome in one word or two.
func headline(r *mishap.Run) string {
	verdict, _ := mishap.Judge(r)
	switch {
	case verdict != mishap.NoVerdict:
		return string(verdict)
	default:
		return string(r.State)
	}
}

// source says where the experiment came from.
func source(s mishap.Source) string {
	switch {
	case s.Commit == "":
		return s.File + " (not in git)"
	case s.Dirty:
		return fmt.Sprintf("%s @ %.12s with local changes", s.File, s.Commit)
	}
	return fmt.Sprintf("%s @ %.12s", s.File, s.Commit)
}
