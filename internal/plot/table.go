package plot

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// mostRows is how many rows the table of a chart has at most.
const mostRows = 24

// table is the chart as numbers: at some places of the X axis, what each series
// is there.
func (c Chart) table(b *strings.Builder) {
	places := c.places()
	if len(places) == 0 {
		return
	}
	fmt.Fprintf(b, `<details class="numbers"><summary>Numbers of this picture</summary><div class="scroll" tabindex="0" role="region" aria-label="Numbers of: %s"><table><thead><tr><th scope="col">%s</th>`, esc(c.Title), esc(c.X.Name))
	for _, l := range c.Lines {
		fmt.Fprintf(b, `<th scope="col">%s</th>`, esc(l.Name))
	}
	for _, band := range slices.Concat(c.Bands, c.Bars) {
		fmt.Fprintf(b, `<th scope="col">%s</th>`, esc(band.Name))
	}
	b.WriteString(`</tr></thead><tbody>`)
	for _, x := range places {
		fmt.Fprintf(b, `<tr><th scope="row">%s</th>`, esc(c.X.Format(x)))
		for _, l := range c.Lines {
			fmt.Fprintf(b, `<td>%s</td>`, esc(c.at(l, x)))
		}
		for _, band := range slices.Concat(c.Bands, c.Bars) {
			fmt.Fprintf(b, `<td>%s</td>`, esc(c.between(band, x)))
		}
		b.WriteString(`</tr>`)
	}
	b.WriteString(`</tbody></table></div></details>`)
}

// places are the values of X that the table has: those of the longest series,
// evenly thinned out.
func (c Chart) places() []float64 {
	var longest []float64
	for _, l := range c.Lines {
		if len(l.Points) > len(longest) {
			longest = nil
			for _, p := range l.Points {
				longest = append(longest, p.X)
			}
		}
	}
	if len(longest) <= mostRows {
		return longest
	}
	var some []float64
	for i := range mostRows {
		some = append(some, longest[i*(len(longest)-1)/(mostRows-1)])
	}
	return some
}

// at is the last value of a series up to x.
func (c Chart) at(l Line, x float64) string {
	i := sort.Search(len(l.Points), func(i int) bool { return l.Points[i].X > x })
	if i == 0 || math.IsNaN(l.Points[i-1].Y) {
		return "–"
	}
	return c.Y.Format(l.Points[i-1].Y)
}

func (c Chart) between(band Band, x float64) string {
	i := sort.Search(len(band.Points), func(i int) bool { return band.Points[i].X > x })
	if i == 0 {
		return "–"
	}
	return c.Y.Format(band.Points[i-1].Low) + " to " + c.Y.Format(band.Points[i-1].High)
}
