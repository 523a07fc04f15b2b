// Package plot draws numbers as SVG inside of HTML: no script, nothing fetched,
// as wide as the page allows, and the same on paper. The drawing stretches, and
// the words around it do not: they are HTML, placed in percent, so that they
// stay readable on a phone. Each picture says in words what it shows, and has
// its numbers as a table.
//
// Colours and strokes are the page's: a series has a class, and so has each
// part: frame, grid, area, band, rule, key.
package plot

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// Chart is one picture: lines and bands over an axis.
type Chart struct {
	ID    string // unique in the page; letters, digits and dashes
	Title string
	Says  string // what the picture shows, for who does not see it
	X, Y  Axis
	Areas []Area
	Rules []Rule
	Bands []Band
	Bars  []Band // ranges that stand by themselves, one upright line each
	Lines []Line
}

// Axis is one direction of a chart. Max is greater than Min; with Log, Min is
// greater than 0.
type Axis struct {
	Name     string
	Min, Max float64
	Log      bool
	Ticks    []float64
	Format   func(float64) string
}

// Point is one value; a Y that is not a number interrupts the line.
type Point struct{ X, Y float64 }

// Line is a series. Step draws it level up to the next point; Dots marks each.
type Line struct {
	Name, Class string
	Points      []Point
	Step, Dots  bool
}

// Band is the area between two values.
type Band struct {
	Name, Class string
	Points      []Range
}

// Range is one stretch of a band.
type Range struct{ X, Low, High float64 }

// Area is a stretch of the X axis that is shaded.
type Area struct {
	Name     string
	From, To float64
}

// Rule is a level that means something, such as a limit.
type Rule struct {
	Name, Class string
	At          float64
}

// extent is how wide and high a drawing is in its own units.
const extent = 1000.

// narrowArea is below what width an area has no room for its name.
const narrowArea = extent / 5

// nearBottom is below where there is no room for a name under a level.
const nearBottom = extent / 8

// HTML is the chart as a figure.
func (c Chart) HTML() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="plot" id="%s"><figcaption>%s</figcaption>`, esc(c.ID), esc(c.Title))
	fmt.Fprintf(&b, `<p class="says">%s</p>`, esc(c.Says))
	c.keys(&b)
	b.WriteString(`<div class="frame"><div class="y" aria-hidden="true">`)
	for _, t := range c.Y.Ticks {
		fmt.Fprintf(&b, `<span style="top:%s%%">%s</span>`, coordinate(100-c.Y.place(t)/10), esc(c.Y.Format(t)))
	}
	b.WriteString(`</div><div class="drawing">`)
	c.svg(&b)
	c.notes(&b)
	b.WriteString(`</div>`)
	c.X.html(&b)
	b.WriteString(`</div>`)
	c.table(&b)
	b.WriteString(`</figure>`)
	return template.HTML(b.String()) // all text in it went through esc
}

// svg is the drawing itself.
func (c Chart) svg(b *strings.Builder) {
	fmt.Fprintf(b, `<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-labelledby="%[1]s-t %[1]s-d"><title id="%[1]s-t">%[2]s</title><desc id="%[1]s-d">%[3]s</desc>`, esc(c.ID), esc(c.Title), esc(c.Says))
	shade(b, c.X, c.Areas)
	for _, t := range c.Y.Ticks {
		fmt.Fprintf(b, `<path class="grid" d="M0 %sH1000"/>`, c.y(t))
	}
	for _, band := range c.Bands {
		fmt.Fprintf(b, `<path class="band %s" d="%s"/>`, esc(band.Class), c.band(band.Points))
	}
	for _, r := range c.Rules {
		if r.At >= c.Y.Min && r.At <= c.Y.Max {
			fmt.Fprintf(b, `<path class="rule %s" d="M0 %sH1000"/>`, esc(r.Class), c.y(r.At))
		}
	}
	for _, bars := range c.Bars {
		fmt.Fprintf(b, `<path class="bars %s" d="%s"/>`, esc(bars.Class), c.bars(bars.Points))
	}
	for _, l := range c.Lines {
		fmt.Fprintf(b, `<path class="line %s" d="%s"/>`, esc(l.Class), c.line(l))
		if l.Dots {
			fmt.Fprintf(b, `<path class="line dots %s" d="%s"/>`, esc(l.Class), c.dots(l))
		}
	}
	b.WriteString(`</svg>`)
}

// shade draws the areas, with a line at each of their ends.
func shade(b *strings.Builder, x Axis, areas []Area) {
	for _, a := range areas {
		from, to := x.place(a.From), x.place(a.To)
		if to <= 0 || from >= extent {
			continue
		}
		from, to = max(0, from), min(extent, to)
		fmt.Fprintf(b, `<rect class="area" x="%s" y="0" width="%s" height="1000"/><path class="edge" d="M%s 0V1000M%s 0V1000"/>`,
			coordinate(from), coordinate(to-from), coordinate(from), coordinate(to))
	}
}

// notes are the words inside of the drawing.
func (c Chart) notes(b *strings.Builder) {
	areaNames(b, c.X, c.Areas)
	for _, r := range c.Rules {
		if r.Name != "" && r.At >= c.Y.Min && r.At <= c.Y.Max {
			class := r.Class
			if c.Y.place(r.At) < nearBottom {
				class += " low"
			}
			fmt.Fprintf(b, `<span class="rule-name %s" aria-hidden="true" style="top:%s%%">%s</span>`, esc(class), coordinate(100-c.Y.place(r.At)/10), esc(r.Name))
		}
	}
}

func areaNames(b *strings.Builder, x Axis, areas []Area) {
	said := map[string]bool{}
	for _, a := range areas {
		from := x.place(a.From)
		if a.Name == "" || said[a.Name] || from >= extent || x.place(a.To) <= 0 {
			continue
		}
		said[a.Name] = true
		from, to := max(0, from), min(extent, x.place(a.To))
		side, at, name := "left", from, a.Name
		switch narrow := to-from < narrowArea; { // its name stands beside it, and points at it
		case narrow && from > extent/2:
			side, at, name = "right", extent-from, name+" →"
		case narrow:
			at, name = to, "← "+name
		case from > 600: // there is more room to the left
			side, at = "right", extent-to
		}
		fmt.Fprintf(b, `<span class="area-name" aria-hidden="true" style="%s:%s%%">%s</span>`, side, coordinate(at/10), esc(name))
	}
}

// keys say which stroke is which series.
func (c Chart) keys(b *strings.Builder) {
	b.WriteString(`<ul class="key" aria-hidden="true">`)
	for _, l := range c.Lines {
		key(b, "line "+l.Class, l.Name)
	}
	for _, band := range c.Bands {
		fmt.Fprintf(b, `<li><svg viewBox="0 0 24 12"><rect class="band %s" width="24" height="12"/></svg>%s</li>`, esc(band.Class), esc(band.Name))
	}
	for _, bars := range c.Bars {
		key(b, "bars "+bars.Class, bars.Name)
	}
	b.WriteString(`</ul>`)
}

func key(b *strings.Builder, class, name string) {
	fmt.Fprintf(b, `<li><svg viewBox="0 0 24 12"><path class="%s" d="M0 6H24"/></svg>%s</li>`, esc(class), esc(name))
}

// y is a value's place from the top. What lies outside is drawn just outside,
// where it is cut off.
func (c Chart) y(v float64) string {
	return coordinate(extent - max(-extent, min(2*extent, c.Y.place(v))))
}

// place is a value's place on the axis, from 0 to extent inside of it.
func (a Axis) place(v float64) float64 {
	low, high := a.Min, a.Max
	if a.Log {
		low, high, v = math.Log(low), math.Log(high), math.Log(max(v, math.SmallestNonzeroFloat64))
	}
	if high <= low || !finite(v) {
		return 0
	}
	return (v - low) / (high - low) * extent
}

// html is the axis below a drawing.
func (a Axis) html(b *strings.Builder) {
	b.WriteString(`<div class="x" aria-hidden="true">`)
	for _, t := range a.Ticks {
		class := ""
		switch p := a.place(t); {
		case p < 40:
			class = ` class="first"`
		case p > extent-60:
			class = ` class="last"`
		}
		fmt.Fprintf(b, `<span%s style="left:%s%%">%s</span>`, class, coordinate(a.place(t)/10), esc(a.Format(t)))
	}
	fmt.Fprintf(b, `</div><p class="axis" aria-hidden="true">%s</p>`, esc(a.Name))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// coordinate writes a number with one digit at most after the point.
func coordinate(v float64) string {
	if !finite(v) {
		return "0"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

func esc(text string) string { return html.EscapeString(text) }
