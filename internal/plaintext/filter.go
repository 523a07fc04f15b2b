// Package plaintext keeps what systems, servers and files say from acting on the
// terminal, the log or the page that it is shown in. What passes a [Filter] are
// letters, ends of lines (LF) and tabs: no control characters, so no escape sequences,
// neither in their seven-bit nor in their eight-bit form, nothing that changes
// the direction of writing, and no bytes that are not UTF-8.
package plaintext

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bidi reports whether r changes the direction of the text around it: marks,
// embeddings, overrides and isolates of Unicode's bidirectional algorithm
// (UAX #9, section 2).
func Bidi(r rune) bool {
	switch {
	case r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069', r == '\u200E', r == '\u200F', r == '\u061C':
		return true
	}
	return false
}

// acts reports a letter that a terminal may act on, or that hides what is read.
func acts(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || Bidi(r)
}

// Line is text on one line, for what others wrote and mishap repeats within a
// sentence of its own: a second line could pass for one of mishap's. Every end of a
// line that Unicode knows (UAX #14, BK, CR, LF and NL) becomes a space.
func Line(text string) string {
	ends := func(r rune) bool {
		return r >= '\n' && r <= '\r' || r == 0x85 || r == '\u2028' || r == '\u2029'
	}
	if !strings.ContainsFunc(text, ends) {
		return text
	}
	return strings.Join(strings.FieldsFunc(text, ends), " ")
}

// Of is text with U+FFFD for every letter that is not plain.
func Of(text string) string { return string(replace(nil, []byte(text), plain)) }

// A Filter passes on what is written to it, with U+FFFD in place of what is not
// plain. In JSON such letters are escaped instead, so that the value stays
// exact: they can only stand inside of its strings. A letter may be split over
// two writes; it must not be used by several goroutines at a time.
type Filter struct {
	To   io.Writer
	JSON func() bool // whether what is written is JSON; nil: it never is

	rest []byte // the beginning of a letter
}

// Write passes p on. It reports an error of the writer behind it as its own, and
// then that nothing was written.
func (f *Filter) Write(p []byte) (int, error) {
	text := append(f.rest, p...)
	whole := len(text) - unfinished(text)
	clean := f.Clean(text[:whole])
	f.rest = append([]byte(nil), text[whole:]...)
	if len(clean) == 0 {
		return len(p), nil
	}
	if _, err := f.To.Write(clean); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Clean is what is passed on of a text.
func (f *Filter) Clean(text []byte) []byte {
	instead := plain
	if f.JSON != nil && f.JSON() {
		instead = escaped
	}
	return replace(make([]byte, 0, len(text)), text, instead)
}

// Close passes on what was left of a letter that never came to its end. It does
// not close the writer behind it.
func (f *Filter) Close() error {
	rest := f.Clean(f.rest)
	if f.rest = nil; len(rest) == 0 {
		return nil
	}
	_, err := f.To.Write(rest)
	return err
}

func plain(rune) string { return "\uFFFD" }

func escaped(r rune) string { return fmt.Sprintf(`\u%04x`, r) }

func replace(to, text []byte, instead func(rune) string) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 || acts(r) {
			to = append(to, instead(r)...)
		} else {
			to = append(to, text[:size]...)
		}
		text = text[size:]
	}
	return to
}

// unfinished is the length of a letter at the end of text that may go on.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
