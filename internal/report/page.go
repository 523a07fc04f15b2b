package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mishap/internal/report/words"
)

// Wide is a writer that says how many columns it has; of others it is 80.
type Wide interface{ Columns() int }

// Sheet is what is said to a person in parts, whoever shows it: a terminal in lines, or
// a page in sections.
type Sheet struct {
	Parts []SheetPart `json:"parts"`
}

// SheetPart is what a sheet says of one thing.
type SheetPart struct {
	Title string      `json:"title,omitempty" doc:"absent where the labels of its fields say what it is of"`
	Items []SheetItem `json:"items"`
}

// SheetItem is one of several of a kind, such as a fault, or all that a part has.
type SheetItem struct {
	Name  string     `json:"name,omitempty"`
	Table [][]string `json:"table,omitempty" doc:"rows of as many cells; the first names them"`

	Fields []SheetField `json:"fields,omitempty"`
}

// SheetField is a sentence, and what it is about.
type SheetField struct {
	Label string `json:"label,omitempty" doc:"absent: the same as of the field before"`
	Text  string `json:"text"`
}

// add adds a part, unless it says nothing.
func (s *Sheet) add(title string, items ...SheetItem) {
	items = slices.DeleteFunc(items, func(i SheetItem) bool { return i.Name == "" && i.Fields == nil && i.Table == nil })
	if len(items) > 0 {
		s.Parts = append(s.Parts, SheetPart{title, items})
	}
}

// labelled are sentences about one thing.
func labelled(label string, texts []string) (all []SheetField) {
	for i, text := range texts {
		all = append(all, SheetField{words.Once(i, label), text})
	}
	return all
}

// Text writes the sheet for a person at a terminal.
func (s Sheet) Text(w io.Writer) error {
	p := newPage(w)
	for i, part := range s.Parts {
		if i > 0 {
			p.blank()
		}
		in, hang := 0, 13
		if part.Title != "" {
			p.line(0, "%s", part.Title)
			in, hang = 2, 14
		}
		for _, item := range part.Items {
			p.item(item, in, hang)
		}
	}
	return p.to(w)
}

// item writes one item of a part whose fields stand in columns.
func (p *page) item(item SheetItem, in, hang int) {
	if item.Name != "" {
		p.line(in, "%s", item.Name)
		in, hang = 4, 12
	}
	if !slices.ContainsFunc(item.Fields, func(f SheetField) bool { return f.Label != "" }) {
		hang = 2
	}
	if item.Table != nil {
		p.table(in, item.Table)
	}
	p.fields(item.Fields, in, hang)
}

// fields writes sentences behind what they are about.
func (p *page) fields(all []SheetField, in, hang int) {
	for _, f := range all {
		p.labelled(in, hang, f.Label, f.Text)
	}
}

// table writes rows whose last cell takes what is left of the line, and those between
// it and the first are numbers.
func (p *page) table(in int, rows [][]string) {
	widths := make([]int, len(rows[0])-1)
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], words.Cells(row[i]))
		}
	}
	for i := range widths[1:] {
		widths[i+1] = -widths[i+1]
	}
	for _, row := range rows {
		p.row(in, widths, row...)
	}
}

// page collects lines for a person. Whatever is written to it is cleaned and
// wrapped.
type page struct {
	strings.Builder
	columns int
}

// newPage is a page as wide as its reader.
func newPage(w io.Writer) *page {
	p := &page{columns: words.Width}
	if wide, is := w.(Wide); is {
		p.columns = wide.Columns()
	}
	return p
}

// spare is by how many columns the reader has more room than 80.
func (p *page) spare() int { return max(0, p.columns-words.Width) }

// narrow is whether the reader has less room than 80 columns: names then get lines of
// their own.
func (p *page) narrow() bool { return p.columns < words.Width }

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
	lead, room := strings.Repeat(" ", in), min(p.columns, words.Readable)
	if label != "" {
		lead += words.Pad(words.Clean(label), max(hang, words.Cells(label)+1))
	} else if hang > 2 {
		lead += strings.Repeat(" ", hang)
	}
	for _, l := range words.Wrap(words.Clean(text), room-words.Cells(lead), room-in-hang) {
		p.WriteString(strings.TrimRight(lead+l, " ") + "\n")
		lead = strings.Repeat(" ", in+hang)
	}
}

// most lets write add at most some lines; where there would be more, the last one
// ends with "…".
func (p *page) most(lines int, write func()) {
	before := p.String()
	write()
	added := strings.SplitAfter(strings.TrimPrefix(p.String(), before), "\n")
	added = added[:len(added)-1]
	if len(added) <= lines {
		return
	}
	p.Reset()
	p.WriteString(before + strings.Join(added[:lines-1], ""))
	p.WriteString(strings.TrimRight(words.Fit(added[lines-1], p.columns-2), " \n") + " …\n")
}

// row writes the cells of a table, each wrapped in its own column. A negative
// width sets to the right. The last column takes what is left of the line.
func (p *page) row(in int, widths []int, texts ...string) {
	columns, height := make([][]string, len(texts)), 0
	left := p.columns - in
	for i, text := range texts {
		most := left
		if i < len(widths) {
			most = max(widths[i], -widths[i])
		}
		columns[i] = words.Wrap(words.Clean(text), most, most)
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
				line += strings.Repeat(" ", max(0, -widths[i]-words.Cells(text))) + text + "  "
			default:
				line += words.Pad(text, widths[i]+2)
			}
		}
		p.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// named is [page.row] of a table of which one cell is a name. Where there is little room
// the name has a line of its own, above the others.
func (p *page) named(name int, widths []int, texts ...string) {
	if p.narrow() {
		p.line(0, "%s", texts[name])
		p.row(2, slices.Delete(slices.Clone(widths), name, name+1), slices.Delete(slices.Clone(texts), name, name+1)...)
		return
	}
	p.row(0, widths, texts...)
}

// fit are the widths of the columns of a table that stands in spaces in, and whose last
// column takes at least last. Where there is no room for them the widest give way.
func (p *page) fit(in, last int, widths ...int) []int {
	const least = 8
	taken := in + last
	for _, w := range widths {
		taken += max(w, -w) + 2
	}
	for ; taken > p.columns; taken-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= least {
			break
		}
		widths[widest]--
	}
	return widths
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
