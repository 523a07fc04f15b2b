package worlds

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"mishap"
)

// Tally is how the runs of a world ended.
type Tally struct {
	Runs    int
	Spared  int // held, and the experiment's own users had no harm beyond the margin
	Ended   map[mishap.Verdict]int
	Seconds map[mishap.Verdict]float64 // since the injection, together
	Reasons map[string]int             // of what is inconclusive
}

// Add takes in a run of a world.
func (t *Tally) Add(w World, e End) {
	if t.Ended == nil {
		t.Ended, t.Seconds, t.Reasons = map[mishap.Verdict]int{}, map[mishap.Verdict]float64{}, map[string]int{}
	}
	t.Runs++
	t.Ended[e.Verdict]++
	t.Seconds[e.Verdict] += e.After.Seconds()
	t.Reasons[e.Reason]++
	if e.Verdict == mishap.Held && e.Own < w.Beyond {
		t.Spared++
	}
}

// wrong is how many runs ended so, where that is wrong.
func (t *Tally) wrong(v mishap.Verdict) int {
	if v == mishap.Held {
		return t.Ended[v] - t.Spared
	}
	return t.Ended[v]
}

// confidence of the bounds.
const confidence = 0.999

// atMost is how often what has a chance of at most p happens in n runs, unless it is more likely: the bound is passed by
// chance once in a thousand times.
func atMost(n int, p float64) int {
	sum := 0.0
	for k := range n {
		lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
		sum += math.Exp(lg(n) - lg(k) - lg(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
		if sum >= confidence {
			return k
		}
	}
	return n
}

// Faults are what is wrong with how a world ended, in words.
func (w World) Faults(t Tally) (list []string) {
	alpha := w.Asked.withDefaults().Alpha
	for _, v := range w.Wrong {
		if k, most := t.wrong(v), atMost(t.Runs, alpha); k > most {
			list = append(list, fmt.Sprintf("%s in %d of %d runs is wrong, and chance explains %d at alpha %g", v, k, t.Runs, most, alpha))
		}
	}
	if w.Right != "" {
		if k, least := t.Ended[w.Right], t.Runs-atMost(t.Runs, 1-w.Mostly); k < least {
			list = append(list, fmt.Sprintf("%s in only %d of %d runs, which should be %d", w.Right, k, t.Runs, least))
		}
	}
	return list
}

// Head is the head of the table, of which each world is a [World.Row].
const Head = "| world | wrong, and why | runs | held | deviated | inconclusive | wrong | at most |\n|---|---|---|---|---|---|---|---|\n"

// Row is a line of a table in Markdown.
func (w World) Row(t Tally) string {
	n := float64(max(t.Runs, 1))
	cell := func(v mishap.Verdict) string {
		k := t.Ended[v]
		if k == 0 {
			return "0"
		}
		return fmt.Sprintf("%.4g (%.3g s)", float64(k)/n, t.Seconds[v]/float64(k))
	}
	wrong := 0
	var names []string
	for _, v := range w.Wrong {
		names = append(names, string(v))
		wrong = max(wrong, t.wrong(v))
	}
	if len(names) == 0 {
		names = []string{"none"}
	}
	return fmt.Sprintf("| %s | %s: %s | %d | %s | %s | %s | %d | %d |\n", w.Name, strings.Join(names, ", "), w.Why, t.Runs,
		cell(mishap.Held), cell(mishap.Deviated), cell(mishap.Inconclusive), wrong, atMost(t.Runs, w.Asked.withDefaults().Alpha))
}

// Often are the reasons of what was inconclusive, the most frequent first.
func (t Tally) Often() string {
	var all []string
	for r := range t.Reasons {
		if r != "" {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(t.Reasons[b]-t.Reasons[a], cmp.Compare(a, b)) })
	for i, r := range all {
		all[i] = fmt.Sprintf("%d: %s", t.Reasons[r], r)
	}
	return strings.Join(all[:min(len(all), 4)], "; ")
}
