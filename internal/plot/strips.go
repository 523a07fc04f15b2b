package plot

import (
	"fmt"
	"html/template"
	"strings"
)

// Strips is a picture of things that happened: one strip for each kind, with a
// mark for each time. Marks of different kinds differ in height, and so without
// colour.
type Strips struct {
	ID, Title, Says string
	X               Axis
	Areas           []Area
	Keys            []Mark // one of each kind, with the name of the kind; At is not used
	Strips          []Strip
}

// Strip is one row.
type Strip struct {
	Name  string
	Note  string // what a person should know of it, such as counts
	Marks []Mark
}

// Mark is one event. Its height is from 0 to 1.
type Mark struct {
	At     float64
	Class  string
	Height float64
	Name   string
}

// HTML is the strips as a figure.
func (s Strips) HTML() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="plot strips" id="%s"><figcaption>%s</figcaption><p class="says">%s</p><ul class="key" aria-hidden="true">`, esc(s.ID), esc(s.Title), esc(s.Says))
	for _, k := range s.Keys {
		fmt.Fprintf(&b, `<li><svg viewBox="0 0 24 12"><path class="mark %s" d="M6 12V%sM12 12V%[2]sM18 12V%[2]s"/></svg>%s</li>`, esc(k.Class), coordinate(12-12*k.Height), esc(k.Name))
	}
	b.WriteString(`</ul><div class="frame">`)
	for i, strip := range s.Strips {
		fmt.Fprintf(&b, `<p class="strip-name">%s <span>%s</span></p>`, esc(strip.Name), esc(strip.Note))
		if i == 0 && len(s.Areas) > 0 { // above, where no mark crosses them
			b.WriteString(`<div class="names">`)
			areaNames(&b, s.X, s.Areas)
			b.WriteString(`</div>`)
		}
		b.WriteString(`<div class="drawing">`)
		fmt.Fprintf(&b, `<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-labelledby="%[1]s-%[2]d"><title id="%[1]s-%[2]d">%[3]s</title>`, esc(s.ID), i, esc(strip.Name+": "+strip.Note))
		shade(&b, s.X, s.Areas)
		s.marks(&b, strip)
		b.WriteString(`</svg></div>`)
	}
	s.X.html(&b)
	b.WriteString(`</div></figure>`)
	return template.HTML(b.String()) // all text in it went through esc
}

// marks draws the marks of a strip, those of one kind as one path. Several that
// would fall on each other are one.
func (s Strips) marks(b *strings.Builder, strip Strip) {
	for _, k := range s.Keys {
		var path strings.Builder
		last := -1
		for _, m := range strip.Marks {
			at := s.X.place(m.At)
			if m.Class != k.Class || at < 0 || at > extent || int(at) == last {
				continue
			}
			last = int(at)
			fmt.Fprintf(&path, "M%s 1000V%s", coordinate(at), coordinate(extent-extent*m.Height))
		}
		if path.Len() > 0 {
			fmt.Fprintf(b, `<path class="mark %s" d="%s"/>`, esc(k.Class), path.String())
		}
	}
}
