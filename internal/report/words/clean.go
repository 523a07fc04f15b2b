package words

import (
	"fmt"
	"strings"
	"unicode"
)

// Clean takes out what a system under test could use to draw on a terminal, or
// to put text where it does not belong: escape sequences, control characters,
// and what changes the direction of writing. Line ends become spaces.
func Clean(text string) string {
	return strings.Map(Harmless, unescape(text))
}

// Harmless is what stands for a letter: the letter itself, a space, or -1 for
// nothing.
func Harmless(r rune) rune {
	switch {
	case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
		return ' '
	case r == '\u200c' || r == '\u200d': // part of how some languages are written
		return r
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		return -1
	case r == '\ufffe' || r == '\uffff': // not allowed in XML
		return unicode.ReplacementChar
	}
	return r
}

// unescape removes whole escape sequences, so that "\x1b[31mred" is "red" and
// not "[31mred". One that has no end loses only its first letter, in clean.
func unescape(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		text = after[sequence(after):]
	}
}

// sequence is the length of the escape sequence whose ESC was just read: of a
// CSI up to its final letter, of a string (such as a title) up to its end.
func sequence(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case '[':
		for i := 1; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x7e {
				return i
			}
		}
	case ']', 'P', '_', '^', 'X':
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\a':
				return i + 1
			case strings.HasPrefix(s[i:], "\x1b\\"):
				return i + 2
			case s[i] == '\x1b':
				return 0
			}
		}
	}
	return 0
}

// Cells is how many columns a terminal gives to a text.
func Cells(text string) int {
	n := 0
	for _, r := range text {
		n += cell(r)
	}
	return n
}

// cell is the width of one letter: two for those of East Asia and for emoji,
// none for what is drawn over the letter before.
func cell(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// Link is a text in Markdown that leads to an address, of which no character ends the
// link; without an address it is the text.
func Link(text, to string) string {
	if to == "" {
		return Markdown(text)
	}
	var out strings.Builder
	for _, b := range []byte(to) {
		if b <= ' ' || b >= 0x7f || strings.IndexByte("\\`<>()|\"", b) >= 0 {
			fmt.Fprintf(&out, "%%%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return "[" + Markdown(text) + "](" + out.String() + ")"
}

// Markdown is a text that means itself in Markdown, also in a cell of a table, and
// calls nobody by name.
func Markdown(text string) string {
	var out strings.Builder
	called := false
	for _, r := range text {
		if called && !unicode.IsSpace(r) {
			out.WriteString("<!-- -->")
		}
		if strings.ContainsRune("\\`*_{}[]<>|#~!&", r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
		called = r == '@'
	}
	return out.String()
}
