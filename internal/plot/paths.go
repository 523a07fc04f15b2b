package plot

import (
	"fmt"
	"strings"
)

// line is the path of a series.
func (c Chart) line(l Line) string {
	var b strings.Builder
	drawing := false
	for _, p := range l.Points {
		if !finite(p.X) || !finite(p.Y) {
			drawing = false
			continue
		}
		x, y := coordinate(c.X.place(p.X)), c.y(p.Y)
		switch {
		case !drawing:
			fmt.Fprintf(&b, "M%s %sh0", x, y) // the h0 makes a single point a dot
		case l.Step:
			fmt.Fprintf(&b, "H%sV%s", x, y)
		default:
			fmt.Fprintf(&b, "L%s %s", x, y)
		}
		drawing = true
	}
	return b.String()
}

// band is the outline of a band.
func (c Chart) band(points []Range) string {
	var there, back strings.Builder
	for _, p := range points {
		if finite(p.X) && finite(p.Low) && finite(p.High) {
			fmt.Fprintf(&there, "L%s %s", coordinate(c.X.place(p.X)), c.y(p.High))
		}
	}
	for i := len(points) - 1; i >= 0; i-- {
		if p := points[i]; finite(p.X) && finite(p.Low) && finite(p.High) {
			fmt.Fprintf(&back, "L%s %s", coordinate(c.X.place(p.X)), c.y(p.Low))
		}
	}
	if there.Len() == 0 {
		return ""
	}
	return "M" + there.String()[1:] + back.String() + "Z"
}

// bars are upright lines.
func (c Chart) bars(points []Range) string {
	var b strings.Builder
	for _, p := range points {
		if finite(p.X) && finite(p.Low) && finite(p.High) {
			fmt.Fprintf(&b, "M%s %sV%s", coordinate(c.X.place(p.X)), c.y(p.Low), c.y(p.High))
		}
	}
	return b.String()
}

// dots are the points of a series; a line without length is round.
func (c Chart) dots(l Line) string {
	var b strings.Builder
	for _, p := range l.Points {
		if finite(p.X) && finite(p.Y) {
			fmt.Fprintf(&b, "M%s %sh0", coordinate(c.X.place(p.X)), c.y(p.Y))
		}
	}
	return b.String()
}
