package experiments

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"mishap/internal/plaintext"
)

// Limits of one file. They bound the work that a hostile file can cause.
const (
	mostBytes    = 1 << 20
	mostDepth    = 64
	mostTokens   = 20_000
	mostProblems = 100
)

// file is one experiment file being read; it collects what is wrong with it.
type file struct {
	path     string
	tree     string // folder that it is read within; empty: wherever it is
	lines    []string
	problems Problems
	warnings Problems // what keeps nothing from running
}

// add notes a problem at a position.
func (f *file) add(line, column int, msg, hint string) {
	if len(f.problems) > mostProblems {
		return
	}
	if len(f.problems) == mostProblems {
		f.problems = append(f.problems, Problem{File: f.path, Line: len(f.lines) + 1, Column: 1, Msg: fmt.Sprintf("more than %d problems; the rest is not shown", mostProblems)})
		return
	}
	f.problems = append(f.problems, f.at(line, column, msg, hint))
}

// warn notes at a position what keeps nothing from running.
func (f *file) warn(line, column int, msg, hint string) {
	if len(f.warnings) < mostProblems {
		f.warnings = append(f.warnings, f.at(line, column, msg, hint))
	}
}

// hide takes from a line the secret that begins at column, and what follows it, out
// of all excerpts, also of what was said about the line before.
func (f *file) hide(line, column int) {
	if line < 1 || line > len(f.lines) {
		return
	}
	if text := []rune(f.lines[line-1]); column-1 < len(text) {
		f.lines[line-1] = string(text[:column-1]) + "[secret]"
	}
	for _, said := range []Problems{f.problems, f.warnings} {
		for i, p := range said {
			if p.Line == line && p.Excerpt != "" {
				said[i].Excerpt = excerpt(f.lines[line-1], p.Column)
			}
		}
	}
}

func (f *file) at(line, column int, msg, hint string) Problem {
	p := Problem{File: f.path, Line: line, Column: column, Msg: msg, Hint: hint}
	if line >= 1 && line <= len(f.lines) {
		p.Excerpt = excerpt(f.lines[line-1], column)
	}
	return p
}

// checkText reports what makes a file unreadable or misleading as text, each
// kind once, and whether it can be read as YAML at all.
func (f *file) checkText(data []byte) bool {
	if len(bytes.TrimSpace(data)) == 0 {
		f.add(0, 0, "file is empty", "write an experiment into it; `mishap init` makes one to start from")
		return false
	}
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		f.add(1, 1, "file begins with a byte order mark", "save it as UTF-8 without BOM")
		return false
	}
	ok, seen := true, map[string]bool{}
	for n, line := range f.lines {
		column := 0
		for rest := line; rest != ""; {
			r, size := utf8.DecodeRuneInString(rest)
			rest = rest[size:]
			column++
			msg, hint := hidden(r, size)
			if msg == "" || r == '\r' && rest == "" && n < len(f.lines)-1 {
				continue
			}
			ok = false
			if !seen[msg] {
				seen[msg] = true
				f.add(n+1, column, msg, hint)
			}
		}
	}
	return ok
}

// hidden says what is wrong with a character of the file; "" if nothing is.
func hidden(r rune, size int) (msg, hint string) {
	switch {
	case r == utf8.RuneError && size == 1:
		return "file is not valid UTF-8", "save it as UTF-8 text"
	case r == 0:
		return "file holds a NUL byte", "experiment files are text; is this one binary?"
	case r == '\t':
		return "", ""
	case plaintext.Bidi(r):
		return fmt.Sprintf("file holds the invisible character U+%04X, which reorders the text that a reader sees", r), "remove it"
	case r < ' ' || r >= 0x7F && r < 0xA0 || r == '\u2028' || r == '\u2029' || r == '\uFEFF':
		return fmt.Sprintf("file holds the control character U+%04X", r), "remove it"
	}
	return "", ""
}

// misleading says what is wrong with a value after YAML's escapes were
// resolved; "" if nothing is.
func misleading(text string) string {
	for _, r := range text {
		switch {
		case r == 0:
			return "holds a NUL character"
		case plaintext.Bidi(r):
			return fmt.Sprintf("holds the invisible character U+%04X, which reorders the text that a reader sees", r)
		}
	}
	if !utf8.ValidString(text) {
		return "is not valid UTF-8"
	}
	return ""
}

// splitLines returns the lines of data without their ends.
func splitLines(data []byte) []string { return strings.Split(string(data), "\n") }
