package report

import (
	"fmt"
	"io"
	"strings"
)

// width is how many columns text takes at most.
const width = 80

// page collects lines for a person. Whatever is written to it is cleaned and
// wrapped.
type page struct{ strings.Builder }

// line writes one line after in spaces, and what follows of it after two more.
func (p *page) line(in int, format string, args ...any) {
	p.labelled(in, 2, "", fmt.Sprintf(format, args...))
}

// field writes "label   text", wrapped under the text.
func (p *page) field(label, format string, args ...any) {
	p.labelled(0, 13, label, fmt.Sprintf(format, args...))
}

// labelled writes a text after in spaces and a label; lines that follow stand
// hang columns further than in.
func (p *page) labelled(in, hang int, label, text string) {
	lead := strings.Repeat(" ", in)
	if label != "" {
		lead += pad(clean(label), max(hang, cells(label)+1))
	} else if hang > 2 {
		lead += strings.Repeat(" ", hang)
	}
	for _, l := range wrap(clean(text), width-cells(lead), width-in-hang) {
		p.WriteString(strings.TrimRight(lead+l, " ") + "\n")
		lead = strings.Repeat(" ", in+hang)
	}
}

// row writes the cells of a table, each wrapped in its own column. A negative
// width sets to the right. The last column takes what is left of the line.
func (p *page) row(in int, widths []int, texts ...string) {
	columns, height := make([][]string, len(texts)), 0
	left := width - in
	for i, text := range texts {
		most := left
		if i < len(widths) {
			most = max(widths[i], -widths[i])
		}
		columns[i] = wrap(clean(text), most, most)
		height = max(height, len(columns[i]))
		left -= most + 2
	}
	for n := range height {
		line := strings.Repeat(" ", in)
		for i, column := range columns {
			text := ""
			if n < len(column) {
				text = column[n]
			}
			switch {
			case i == len(columns)-1:
				line += text
			case widths[i] < 0:
				line += strings.Repeat(" ", max(0, -widths[i]-cells(text))) + text + "  "
			default:
				line += pad(text, widths[i]+2)
			}
		}
		p.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func (p *page) blank() { p.WriteByte('\n') }

// heading begins a part of the page.
func (p *page) heading(text string) {
	p.blank()
	p.line(0, "%s", text)
}

func (p *page) to(w io.Writer) error {
	_, err := io.WriteString(w, p.String())
	return err
}

func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-cells(text)))
}

// wrap breaks a text at spaces into a first line of at most first columns and
// others of at most most. A word that is longer is broken; nothing is lost.
func wrap(text string, first, most int) []string {
	var lines []string
	line, room := "", first
	next := func() {
		lines, line, room = append(lines, line), "", most
	}
	for _, word := range words(text) {
		if line != "" && cells(line)+1+cells(word) > room {
			next()
		}
		if line != "" {
			line += " "
		}
		for cells(line)+cells(word) > room {
			head := fit(word, room-cells(line))
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

// words are the parts of a text between which a line may end: not before a
// unit.
func words(text string) []string {
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

// fit is the beginning of a text that takes at most columns.
func fit(text string, columns int) string {
	for i, r := range text {
		if columns -= cell(r); columns < 0 {
			return text[:i]
		}
	}
	return text
}
