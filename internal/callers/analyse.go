package callers

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mishap"
)

// maxSources is how many sources are shown one by one.
const maxSources = 8

// Seen is what a proxy has seen from one moment to another, both since its watch began.
type Seen struct {
	Attempts    []Attempt
	From, Until time.Duration
	Connections bool // of TCP: attempts are connections, of which nothing is known but whether they were made
	Lost        int  // attempts that came too fast to be kept
}

// Last is what was seen in the last while, of one arm if it is named: the attempts that began in it, and all attempts of
// the requests that they belong to.
func (s Seen) Last(while time.Duration, arm string) Seen {
	from := max(s.From, s.Until-while)
	known := make(map[string]bool)
	for _, a := range s.Attempts {
		if a.ID != "" && a.Start >= from {
			known[a.ID] = true
		}
	}
	var kept []Attempt
	for _, a := range s.Attempts {
		if (arm == "" || a.Arm == arm) && (a.Start >= from || known[a.ID]) {
			kept = append(kept, a)
		}
	}
	s.Attempts, s.From = kept, from
	return s
}

// Report is what callers do.
type Report struct {
	Span    mishap.Duration `json:"span"` // how long they were watched
	All     Behaviour       `json:"all"`
	Sources []Behaviour     `json:"sources,omitempty"` // most attempts first, if there is more than one
	Others  int             `json:"others,omitempty"`  // sources that are not shown
	Notes   []string        `json:"notes,omitempty"`   // what could not be seen, and why
}

// Behaviour is what the callers from one source do, or all.
type Behaviour struct {
	Source   string          `json:"source,omitempty"`
	Attempts int             `json:"attempts"`
	WithID   int             `json:"withId"` // attempts whose request is known
	Failed   int             `json:"failed"` // of the attempts
	GaveUp   int             `json:"gaveUp"`
	Rate     float64         `json:"rate"` // attempts per second
	P50      mishap.Duration `json:"p50"`  // until attempts were answered
	P90      mishap.Duration `json:"p90"`
	P99      mishap.Duration `json:"p99"`
	Requests Requests        `json:"requests"`
	Load     *Load           `json:"load,omitempty"` // if calls both failed and did not
	Backoff  Backoff         `json:"backoff"`
	Jitter   Jitter          `json:"jitter"`
	Timeout  Timeout         `json:"timeout"`
	Circuit  Circuit         `json:"circuit"`
}

// Load compares how many calls come while they fail with how many come else.
type Load struct {
	Calm    float64 `json:"calm"`    // per second
	Failing float64 `json:"failing"` // per second
	Ratio   float64 `json:"ratio"`
}

// Analyse says what the callers do whose attempts were seen. The attempts may be in any order.
func Analyse(s Seen) Report {
	attempts := clean(s.Attempts)
	r := Report{Span: mishap.Duration(max(s.Until-s.From, 0)), All: behaviour("", attempts, s)}
	by := make(map[string][]Attempt)
	for _, a := range attempts {
		by[a.Source] = append(by[a.Source], a)
	}
	for source, own := range by {
		if len(by) > 1 {
			r.Sources = append(r.Sources, Behaviour{Source: source, Attempts: len(own)})
		}
	}
	slices.SortFunc(r.Sources, func(a, b Behaviour) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Source, b.Source))
	})
	r.Others = max(len(r.Sources)-maxSources, 0)
	r.Sources = r.Sources[:min(len(r.Sources), maxSources)]
	for i, b := range r.Sources {
		r.Sources[i] = behaviour(b.Source, by[b.Source], s)
	}
	r.Notes = notes(s, r.All)
	return r
}

func behaviour(source string, attempts []Attempt, s Seen) Behaviour {
	b := Behaviour{Source: source, Attempts: len(attempts)}
	var took []float64
	for _, a := range attempts {
		if a.ID != "" {
			b.WithID++
		}
		switch a.Outcome {
		case Failed:
			b.Failed++
		case GaveUp:
			b.GaveUp++
		}
		if a.Outcome != GaveUp {
			took = append(took, float64(a.Total)/float64(time.Millisecond))
		}
	}
	slices.Sort(took)
	b.P50, b.P90, b.P99 = millis(quantile(took, 0.5)), millis(quantile(took, 0.9)), millis(quantile(took, 0.99))
	if span := (s.Until - s.From).Seconds(); span > 0 {
		b.Rate = round2(float64(len(attempts)) / span)
	}
	all := requests(attempts)
	settle(all, s.Until)
	b.Requests = count(all)
	b.Backoff, b.Jitter = judge(b, all)
	b.Load = load(attempts)
	if !s.Connections {
		b.Timeout = timeout(attempts)
	}
	b.Circuit = circuit(attempts, s.Until)
	return b
}

// judge classifies pauses, if enough were seen.
func judge(b Behaviour, all []*request) (Backoff, Jitter) {
	why := ""
	switch q := b.Requests; {
	case b.WithID == 0:
		why = "attempts have no id that says which request they belong to"
	case q.Judged < judgedRequests && q.Parallel > q.Judged:
		why = "attempts of " + mishap.Plural(q.Parallel, "request") + " run side by side, so that there are no pauses"
	case q.Judged < judgedRequests:
		why = fmt.Sprintf("%s with %d attempts or more seen, and %d are needed", mishap.Plural(q.Judged, "request"), judgedAttempts, judgedRequests)
	}
	if why != "" {
		return Backoff{Kind: Unknown, Why: why}, Jitter{Kind: JitterUnknown, Why: why}
	}
	p := collect(all)
	if first := p.mixed(); first != nil {
		return p.mixture(first)
	}
	backoff := p.backoff()
	return backoff, p.jitter(backoff.Kind)
}

const (
	slot       = time.Second
	leastSlots = 3
)

// load compares the seconds in which most calls failed with those in which next to none did.
func load(attempts []Attempt) *Load {
	type second struct{ calls, failed int }
	slots := make(map[time.Duration]*second)
	for _, a := range attempts {
		at := a.Start / slot
		if slots[at] == nil {
			slots[at] = &second{}
		}
		slots[at].calls++
		if a.Outcome != OK {
			slots[at].failed++
		}
	}
	var calm, failing, inCalm, inFailing int
	for _, s := range slots {
		switch {
		case s.failed*2 >= s.calls:
			failing++
			inFailing += s.calls
		case s.failed*20 <= s.calls:
			calm++
			inCalm += s.calls
		}
	}
	if calm < leastSlots || failing < leastSlots || inCalm < pace || inFailing < pace {
		return nil
	}
	l := &Load{Calm: round2(float64(inCalm) / float64(calm)), Failing: round2(float64(inFailing) / float64(failing))}
	l.Ratio = round2(l.Failing / l.Calm)
	return l
}

// notes say what the report cannot know.
func notes(s Seen, b Behaviour) (list []string) {
	if s.Lost > 0 {
		list = append(list, mishap.Plural(s.Lost, "attempt")+" came too fast to be kept; what is said is about the others")
	}
	switch {
	case s.Connections:
		list = append(list, "This proxy passes TCP, so only the making of connections is seen, not requests.")
	case b.Attempts > 0 && b.WithID == 0:
		list = append(list, "No request has a traceparent or another id, so attempts cannot be matched: only totals are judged.")
	case b.WithID*10 < b.Attempts*9:
		list = append(list, fmt.Sprintf("%d of %s without an id, counted in totals only.", b.Attempts-b.WithID, mishap.Plural(b.Attempts, "attempt")))
	}
	if b.Circuit.Kind == CircuitOpens {
		list = append(list, "What users got while callers did not call (a fallback, or an error) is not seen here.")
	}
	return list
}
