package plot

import (
	"fmt"
	"html/template"
	"strings"
)

// Forest is intervals below each other over one axis, so that it shows at a
// glance on which side of its levels each lies.
type Forest struct {
	ID, Title, Says string
	X               Axis
	Rules           []Rule // upright levels, named above
	Rows            []ForestRow
}

// ForestRow is one interval. What reaches beyond the axis ends in a point.
type ForestRow struct {
	Name, Class   string
	Low, At, High float64
	Value, Note   string // what stands beside it, and below its name
	Word          string // the result
}

// HTML is the forest as a figure. Its words are a table, which also who does not
// see the drawing can read.
func (f Forest) HTML() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="plot forest" id="%s"><figcaption>%s</figcaption><p class="says">%s</p>`, esc(f.ID), esc(f.Title), esc(f.Says))
	b.WriteString(`<div class="levels" aria-hidden="true"><div>`)
	for _, r := range f.Rules {
		fmt.Fprintf(&b, `<span class="%s" style="left:%s%%">%s</span>`, esc(r.Class), coordinate(f.X.place(r.At)/10), esc(r.Name))
	}
	b.WriteString(`</div></div><ul>`)
	for i, row := range f.Rows {
		fmt.Fprintf(&b, `<li class="%s"><div class="name"><strong>%s</strong> <span>%s</span></div>`, esc(row.Class), esc(row.Name), esc(row.Note))
		fmt.Fprintf(&b, `<div class="drawing"><svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-labelledby="%[1]s-%[2]d"><title id="%[1]s-%[2]d">%[3]s</title>`, esc(f.ID), i, esc(row.Name+": "+row.Value+", "+row.Word))
		for _, r := range f.Rules {
			fmt.Fprintf(&b, `<path class="rule %s" d="M%s 0V1000"/>`, esc(r.Class), coordinate(f.X.place(r.At)))
		}
		f.interval(&b, row)
		fmt.Fprintf(&b, `</svg></div><div class="value">%s <span class="word">%s</span></div></li>`, esc(row.Value), esc(row.Word))
	}
	b.WriteString(`</ul></figure>`)
	return template.HTML(b.String()) // all text in it went through esc
}

// interval draws one: a line with upright ends, or points where it goes on, and a thick stroke at its estimate.
func (f Forest) interval(b *strings.Builder, row ForestRow) {
	clip := func(v float64) float64 { return max(0, min(extent, f.X.place(v))) }
	low, at, high := clip(row.Low), clip(row.At), clip(row.High)
	var path strings.Builder
	fmt.Fprintf(&path, "M%s 500H%s", coordinate(low), coordinate(high))
	if row.Low < f.X.Min {
		path.WriteString("M12 250L0 500L12 750")
	} else {
		fmt.Fprintf(&path, "M%s 250V750", coordinate(low))
	}
	if row.High > f.X.Max {
		path.WriteString("M988 250L1000 500L988 750")
	} else {
		fmt.Fprintf(&path, "M%s 250V750", coordinate(high))
	}
	fmt.Fprintf(b, `<path class="span" d="%s"/>`, path.String())
	if row.At >= f.X.Min && row.At <= f.X.Max {
		fmt.Fprintf(b, `<path class="at" d="M%s 150V850"/>`, coordinate(at))
	}
}
