package words

import "strings"

// Width is how many columns text takes at most where nobody says how wide its reader is.
const Width = 80

// Readable is how long lines of sentences get where there is more room: a reader has to
// find the next one.
const Readable = 120

// Pad fills a text up with spaces.
func Pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-Cells(text)))
}

// Wrap breaks a text at spaces into a first line of at most first columns and
// others of at most most. A word that is longer is broken, behind a hyphen or a slash
// if it has one there; nothing is lost.
func Wrap(text string, first, most int) []string {
	var lines []string
	line, room := "", first
	next := func() {
		lines, line, room = append(lines, line), "", most
	}
	for _, word := range unbroken(text, min(first, most)) {
		if line != "" && Cells(line)+1+Cells(word) > room {
			next()
		}
		if line != "" {
			line += " "
		}
		for Cells(line)+Cells(word) > room {
			head := broken(word, room-Cells(line))
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

// broken is the beginning of a word that takes at most columns. It ends where a reader
// would break the word, unless that is near its beginning.
func broken(word string, columns int) string {
	head := Fit(word, columns)
	if at := strings.LastIndexAny(head, "-/._,:") + 1; at > len(head)/2 && len(head) < len(word) {
		return head[:at]
	}
	return head
}

// Lines breaks a text at spaces into lines of at most columns. A word that is longer is
// left whole: somebody may want to copy it. 0 columns are as many as it takes.
func Lines(text string, columns int) []string {
	if columns <= 0 {
		return []string{strings.Join(strings.Fields(text), " ")}
	}
	lines := []string{""}
	for _, word := range unbroken(text, columns) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case Cells(*last)+1+Cells(word) > columns:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	return lines
}

// Fold breaks those lines of a text that are longer than columns, as [Lines] does, and
// sets what follows of each two columns in. What stands four columns in is there as it
// is, such as a command to copy; what is shown of a file is cut to what is above its
// caret. 0 columns are as many as it takes.
func Fold(text string, columns int) string {
	if columns <= 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case Cells(line) <= columns:
		case strings.HasPrefix(line, asItIs):
			if i+1 < len(lines) && strings.TrimSpace(lines[i+1]) == "^" {
				lines[i], lines[i+1] = around(line, lines[i+1], columns)
			}
		default:
			indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
			lines[i] = indent + strings.Join(Lines(line, columns-len(indent)-2), "\n  "+indent)
		}
	}
	return strings.Join(lines, "\n")
}

// asItIs is before what is shown of a file, and what somebody may copy.
const asItIs = "    "

// around is as much of what is shown of a file as fits, and the caret below it.
func around(shown, caret string, columns int) (string, string) {
	if len(caret) > columns {
		lost := len(caret) - columns/2
		shown = asItIs + string([]rune(shown)[min(len([]rune(shown)), len(asItIs)+lost):])
		caret = caret[lost:]
	}
	return Cut(shown, columns), caret
}

// unbroken are the parts of a text between which a line may end: not before a
// unit, and not within a command in backticks that fits on a line of its own.
func unbroken(text string, columns int) []string {
	var all []string
	for _, word := range whole(strings.Fields(text), columns) {
		if unit := strings.TrimRight(word, ".,;:)"); len(all) > 0 && (unit == "%" || unit == "pp") {
			all[len(all)-1] += " " + word
		} else {
			all = append(all, word)
		}
	}
	return all
}

// whole puts the words of each command together that is no longer than columns.
func whole(fields []string, columns int) []string {
	var all []string
	for len(fields) > 0 {
		n := 1
		for i := range fields {
			if command := strings.Join(fields[:i+1], " "); Cells(command) > columns {
				break
			} else if strings.Count(command, "`") == 2 {
				n = i + 1
				break
			} else if strings.Count(command, "`") != 1 {
				break
			}
		}
		all, fields = append(all, strings.Join(fields[:n], " ")), fields[n:]
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
