package callers

import (
	"fmt"
	"slices"
	"time"

	"mishap"
)

// CircuitKind says whether callers stop calling what fails.
type CircuitKind string

// The kinds.
const (
	CircuitUnknown CircuitKind = "unknown" // nothing failed, too little was called, or calls have not come back
	CircuitOpens   CircuitKind = "opens"
	CircuitNever   CircuitKind = "never" // calls went on while all failed
)

// Circuit says when callers stop calling, and how they find out that they may call again.
type Circuit struct {
	Kind     CircuitKind     `json:"kind"`
	Failing  mishap.Duration `json:"failing"`            // the longest that calls went on while they failed
	Openings int             `json:"openings,omitempty"` // times that it opened
	After    mishap.Duration `json:"after,omitempty"`    // from the first failure to the last call before the silence, the longest of all
	Failures int             `json:"failures,omitempty"` // calls that failed until then, the most of all
	Open     mishap.Duration `json:"open,omitempty"`     // how long it was open, in all
	Bursts   int             `json:"bursts,omitempty"`   // times that it was tried again and failed
	Probes   int             `json:"probes,omitempty"`   // calls in those
	Every    mishap.Duration `json:"every,omitempty"`    // from one such time to the next, the median
	Rate     float64         `json:"rate"`               // calls per second while it was open
	Closed   int             `json:"closed,omitempty"`   // times that calls went on as before
	Guess    bool            `json:"guess,omitempty"`    // no ids: a long backoff of all callers would look the same
	Why      string          `json:"why,omitempty"`      // of unknown
}

const (
	pace      = 20                     // calls that show how fast calls come
	stillness = 100 * time.Millisecond // less is never a silence
	calls     = 3                      // in a row that failed, or succeeded
	recovered = 5                      // that succeeded in a row: failures before them are another matter
)

// breaker reads calls in order and tells silences from the pace. A silence is 8 times what nine of ten calls come within,
// and 3 times the longest that was none: for calls at random moments, chance gives one in more than a million.
type breaker struct {
	c        Circuit
	steps    []time.Duration // between calls, while it was closed
	most     time.Duration   // a silence, as of when so many steps were
	known    int             // known
	seen     map[string]bool
	previous Attempt
	failed   int           // in a row
	recent   [10]bool      // whether the last ten failed
	n        int           // calls
	fine     int           // in a row
	since    time.Duration // of the first failure after calls were fine
	count    int           // of failures since
	failing  bool
	open     bool
	opened   time.Duration
	burst    []Attempt // while open: the calls since the last silence
	bursts   []time.Duration
}

func circuit(attempts []Attempt, until time.Duration) Circuit {
	b := breaker{seen: make(map[string]bool), c: Circuit{Kind: CircuitUnknown}}
	ids := 0
	for i, a := range attempts {
		if i > 0 {
			b.step(a)
		}
		b.take(a)
		if a.ID != "" {
			ids++
			b.seen[a.ID] = true
		}
		b.previous = a
	}
	return b.result(attempts, until, ids*2 < len(attempts))
}

// silence is how long nobody must call for it to be one.
func (b *breaker) silence() (time.Duration, bool) {
	if len(b.steps) < pace-1 {
		return 0, false
	}
	if len(b.steps) > b.known+b.known/20 { // it does not change by much with each call
		sorted := slices.Clone(b.steps[max(0, len(b.steps)-500):])
		slices.Sort(sorted)
		b.most, b.known = max(stillness, 8*sorted[len(sorted)*9/10], 3*sorted[len(sorted)-1]), len(b.steps)
	}
	return b.most, true
}

// step looks at the time from the call before to this one.
func (b *breaker) step(a Attempt) {
	passed := a.Start - b.previous.Start
	if !b.open && passed < stillness {
		b.steps = append(b.steps, passed) // never a silence: no need to work out what is one
		return
	}
	most, known := b.silence()
	still := known && passed > most
	again := a.ID != "" && b.seen[a.ID] // a pause of one request
	switch {
	case still && !again && (b.open || b.bad()):
		b.shut()
	case !b.open:
		b.steps = append(b.steps, passed)
	}
}

// bad says whether calls failed lately: the last three, or four of the last ten, as breakers that go by a rate open at.
func (b *breaker) bad() bool {
	failures := 0
	for _, failed := range b.recent {
		if failed {
			failures++
		}
	}
	return b.failed >= calls || failures >= 4
}

// shut notes that a silence has begun with the last call.
func (b *breaker) shut() {
	if b.open {
		b.endBurst()
		return
	}
	b.open, b.opened = true, b.previous.Start
	b.c.Openings++
	b.c.After = max(b.c.After, mishap.Duration(b.previous.Start-b.since))
	b.c.Failures = max(b.c.Failures, b.count)
}

// endBurst counts the calls of one trial.
func (b *breaker) endBurst() {
	if len(b.burst) > 0 {
		b.bursts = append(b.bursts, b.burst[0].Start)
		b.c.Probes += len(b.burst)
	}
	b.burst = nil
}

// take looks at how a call ended.
func (b *breaker) take(a Attempt) {
	b.recent[b.n%len(b.recent)] = a.Outcome != OK
	b.n++
	if a.Outcome == OK {
		b.failed = 0
		if b.fine++; b.fine >= recovered {
			b.failing = false
		}
	} else {
		b.fine = 0
		b.failed++
		if !b.failing {
			b.failing, b.since, b.count = true, a.Start, 0
		}
		b.count++
		if !b.open {
			b.c.Failing = max(b.c.Failing, mishap.Duration(a.Start-b.since))
		}
	}
	if !b.open {
		return
	}
	b.burst = append(b.burst, a)
	if b.fine >= calls || len(b.burst) >= pace {
		b.closeAt(b.burst[0].Start)
		b.c.Closed++
		b.failing = b.failing && b.fine == 0
		b.since, b.count = b.burst[0].Start, len(b.burst)
		b.burst = nil
	}
}

func (b *breaker) closeAt(end time.Duration) {
	b.open = false
	b.c.Open += mishap.Duration(end - b.opened)
}

func (b *breaker) result(attempts []Attempt, until time.Duration, guess bool) Circuit {
	most, known := b.silence()
	if known && (b.open || b.bad()) && until-b.previous.Start > most {
		b.shut()
	}
	if b.open {
		b.endBurst()
		b.closeAt(until)
	}
	c := b.c
	c.Bursts = len(b.bursts)
	var every []time.Duration
	for i := 1; i < len(b.bursts); i++ {
		every = append(every, b.bursts[i]-b.bursts[i-1])
	}
	if slices.Sort(every); len(every) > 0 {
		c.Every = mishap.Duration(every[len(every)/2])
	}
	if c.Open > 0 {
		c.Rate = round2(float64(c.Probes) / c.Open.Std().Seconds())
	}
	switch failures := failed(attempts); {
	case c.Openings > 0 && c.Bursts+c.Closed == 0:
		c.Why = fmt.Sprintf("calls stopped %s after the first failure and have not come back in %s: a circuit is open, or nobody has anything to ask",
			short(c.After), short(c.Open))
	case c.Openings > 0:
		c.Kind, c.Guess = CircuitOpens, guess
	case !known:
		c.Why = "too few calls to tell a silence from their pace"
	case failures == 0:
		c.Why = "no call failed"
	case c.Failing > 0 && failures >= pace:
		c.Kind = CircuitNever
	default:
		c.Why = "too few calls failed in a row"
	}
	return c
}

func failed(attempts []Attempt) (n int) {
	for _, a := range attempts {
		if a.Outcome != OK {
			n++
		}
	}
	return n
}
