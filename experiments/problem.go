package experiments

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mishap/internal/plaintext"
)

// Problem is one thing that is wrong with an experiment file.
type Problem struct {
	File    string `json:"file,omitempty"`   // path as given; empty if no file is to blame
	Line    int    `json:"line,omitempty"`   // from 1; 0 if the problem is the file as a whole
	Column  int    `json:"column,omitempty"` // in characters, from 1
	Msg     string `json:"message"`          // what is wrong
	Excerpt string `json:"-"`                // the offending line and below it a caret; may be empty
	Hint    string `json:"hint,omitempty"`   // what to do; may be empty
}

// String returns "file:line:column: msg", the indented excerpt and the hint,
// each on lines of its own.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(printable(p.File))
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(printable(p.Msg))
	if p.Excerpt != "" {
		for line := range strings.SplitSeq(p.Excerpt, "\n") {
			b.WriteString("\n    " + line)
		}
	}
	if p.Hint != "" {
		b.WriteString("\n  hint: " + printable(p.Hint))
	}
	return b.String()
}

// Problems is everything that is wrong with a set of files, in the order of
// files, lines and columns.
type Problems []Problem

// Error prints every problem as [Problem.String] does.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems in order, without repetitions.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Msg, b.Msg))
	})
	return slices.Compact(p)
}

// excerptWidth is how many characters of a line are shown at most.
const excerptWidth = 100

// excerpt returns the line of text and, below it, a caret under column.
func excerpt(text string, column int) string {
	runes := []rune(strings.TrimRight(text, "\r\n"))
	at := min(max(column-1, 0), len(runes))
	from := 0
	if len(runes) > excerptWidth {
		from = min(max(at-excerptWidth/2, 0), len(runes)-excerptWidth)
		runes = runes[from : from+excerptWidth]
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
			if r != '\t' {
				runes[i] = '\uFFFD'
			}
		}
	}
	return strings.TrimRight(string(runes), " ") + "\n" + strings.Repeat(" ", at-from) + "^"
}

// printable returns text on one line, without what a terminal would act on or a
// reader would not see.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, plaintext.Line(text))
}
