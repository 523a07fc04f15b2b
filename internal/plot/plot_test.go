package plot_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"mishap/internal/plot"
)

func plain(v float64) string { return fmt.Sprintf("%g", v) }

func chart() plot.Chart {
	return plot.Chart{
		ID: "c", Title: "A <chart> & more", Says: `it "says" so`,
		X:     plot.Axis{Name: "seconds", Min: 0, Max: 10, Ticks: plot.Ticks(0, 10, 5), Format: plain},
		Y:     plot.Axis{Name: "share", Min: 0, Max: 100, Ticks: plot.Ticks(0, 100, 4), Format: plain},
		Areas: []plot.Area{{Name: "fault <in>", From: 2, To: 4}},
		Rules: []plot.Rule{{Name: "limit", At: 50}, {Name: "outside", At: 500}},
		Bands: []plot.Band{{Name: "range", Class: "band", Points: []plot.Range{{X: 0, Low: 1, High: 2}, {X: 10, Low: 3, High: 4}}}},
		Lines: []plot.Line{{Name: "one", Class: "a", Points: []plot.Point{{0, 0}, {5, math.NaN()}, {6, 100}, {10, 1e12}}}},
	}
}

// wellFormed fails unless the text is XML, which what is drawn here also is.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}

func TestChartIsWellFormedEscapedAndSaysWhatItShows(t *testing.T) {
	got := string(chart().HTML())
	wellFormed(t, got)
	for _, want := range []string{
		`<title id="c-t">A &lt;chart&gt; &amp; more</title>`, `<desc id="c-d">it &#34;says&#34; so</desc>`, "fault &lt;in&gt;",
		`M0 1000h0M600 0h0L1000 -1000`, `<th scope="row">6</th><td>100</td>`, `<td>–</td>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "outside") {
		t.Error("a rule outside of the axis is drawn")
	}
}

func TestChartOfNothingOrNonsenseIsStillAPicture(t *testing.T) {
	for name, change := range map[string]func(*plot.Chart){
		"no data":     func(c *plot.Chart) { c.Lines, c.Bands = nil, nil },
		"one point":   func(c *plot.Chart) { c.Lines[0].Points = c.Lines[0].Points[:1] },
		"no extent":   func(c *plot.Chart) { c.X.Max, c.Y.Max = c.X.Min, c.Y.Min },
		"no numbers":  func(c *plot.Chart) { c.X.Max, c.Y.Max = math.NaN(), math.Inf(1) },
		"log of zero": func(c *plot.Chart) { c.X.Log, c.X.Min = true, 0 },
		"all infinite": func(c *plot.Chart) {
			c.Bands[0].Points[0] = plot.Range{X: math.Inf(1), Low: math.Inf(-1), High: math.NaN()}
		},
	} {
		c := chart()
		change(&c)
		got := string(c.HTML())
		wellFormed(t, got)
		if strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("%s: not a number in\n%s", name, got)
		}
	}
}

func TestNameOfANarrowAreaStandsBesideItAndPointsAtIt(t *testing.T) {
	for want, area := range map[string]plot.Area{
		`style="left:20%">fault</span>`:    {Name: "fault", From: 2, To: 8},
		`style="left:2%">← fault</span>`:   {Name: "fault", From: 0, To: 0.2},
		`style="right:10%">fault →</span>`: {Name: "fault", From: 9, To: 9.5},
		`style="right:0%">fault</span>`:    {Name: "fault", From: 7, To: 99},
	} {
		c := chart()
		c.Areas = []plot.Area{area}
		if got := string(c.HTML()); !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestStripsDrawOneMarkWhereManyWouldFallOnEachOther(t *testing.T) {
	s := plot.Strips{
		ID: "s", Title: "what happened", X: plot.Axis{Min: 0, Max: 10, Ticks: []float64{0, 10}, Format: plain},
		Keys:   []plot.Mark{{Class: "met", Height: .3, Name: "met"}, {Class: "unmet", Height: 1, Name: "not met"}},
		Strips: []plot.Strip{{Name: "a <probe>", Note: "5 met", Marks: []plot.Mark{{At: 1, Class: "met", Height: .3}, {At: 1.001, Class: "met", Height: .3}, {At: 1.002, Class: "unmet", Height: 1}, {At: 99, Class: "unmet", Height: 1}}}},
	}
	got := string(s.HTML())
	wellFormed(t, got)
	for _, want := range []string{`<path class="mark met" d="M100 1000V700"/>`, `<path class="mark unmet" d="M100.2 1000V0"/>`, "a &lt;probe&gt;"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestTicksAreRound(t *testing.T) {
	tests := []struct {
		name      string
		got, want []float64
	}{
		{"share", plot.Ticks(0, 1, 4), []float64{0, .25, .5, .75, 1}},
		{"around none", plot.Ticks(-3.2, 6, 5), []float64{-2, 0, 2, 4, 6}},
		{"seconds", plot.TimeTicks(-60, 90, 5), []float64{-60, -30, 0, 30, 60, 90}},
		{"minutes", plot.TimeTicks(0, 900, 5), []float64{0, 300, 600, 900}},
		{"log", plot.LogTicks(.01, .2), []float64{.01, .02, .05, .1, .2}},
		{"short log", plot.LogTicks(.0019, .006), []float64{.002, .003, .004, .005}},
		{"long log", plot.LogTicks(.001, 10), []float64{.001, .01, .1, 1, 10}},
		{"nothing", plot.Ticks(1, 1, 5), nil},
		{"not a number", plot.TimeTicks(math.NaN(), 1, 5), nil},
		{"log of nothing", plot.LogTicks(0, 1), nil},
	}
	for _, tt := range tests {
		if !slices.EqualFunc(tt.got, tt.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}
