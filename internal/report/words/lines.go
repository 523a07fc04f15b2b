package words

import "strings"

// Width is how many columns text takes at most.
const Width = 80

// Pad fills a text up with spaces.
func Pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-Cells(text)))
}

// Wrap breaks a text at spaces into a first line of at most first columns and
// others of at most most. A word that is longer is broken; nothing is lost.
func Wrap(text string, first, most int) []string {
	var lines []string
	line, room := "", first
	next := func() {
		lines, line, room = append(lines, line), "", most
	}
	for _, word := range unbroken(text) {
		if line != "" && Cells(line)+1+Cells(word) > room {
			next()
		}
		if line != "" {
			line += " "
		}
		for Cells(line)+Cells(word) > room {
			head := Fit(word, room-Cells(line))
			if head == "" && line == "" {
				break // no letter fits; do not try for ever
			}
			line, word = line+head, word[len(head):]
			next()
		}
		line += word
	}
	if line != "" || lines == nil {
		lines = append(lines, line)
	}
	return lines
}

// unbroken are the parts of a text between which a line may end: not before a
// unit.
func unbroken(text string) []string {
	var all []string
	for _, word := range strings.Fields(text) {
		if unit := strings.TrimRight(word, ".,;:)"); len(all) > 0 && (unit == "%" || unit == "pp") {
			all[len(all)-1] += " " + word
		} else {
			all = append(all, word)
		}
	}
	return all
}

// Fit is the beginning of a text that takes at most columns.
func Fit(text string, columns int) string {
	for i, r := range text {
		if columns -= cell(r); columns < 0 {
			return text[:i]
		}
	}
	return text
}

// Cut ends a text that is too long with "…".
func Cut(text string, columns int) string {
	if Cells(text) <= columns {
		return text
	}
	return Fit(text, columns-1) + "…"
}

// WithoutExcerpts are the lines of a problem without what they show of files, which
// is for `mishap validate`.
func WithoutExcerpts(problem string) (lines []string) {
	for line := range strings.SplitSeq(problem, "\n") {
		if !strings.HasPrefix(line, "    ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
