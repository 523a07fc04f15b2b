package callers

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mishap"
)

// Summary says in one line how attempts follow each other: "7.9 attempts per request, gaps constant (100ms), no jitter".
func (b Behaviour) Summary() string {
	switch q := b.Requests; {
	case b.Attempts == 0:
		return "no calls"
	case b.WithID == 0 && b.Load != nil:
		return fmt.Sprintf("%s calls/s, %s while they fail; attempts have no id", number(b.Load.Calm), number(b.Load.Failing))
	case b.WithID == 0:
		return fmt.Sprintf("%s calls/s; attempts have no id", number(b.Rate))
	case q.N == 0:
		return mishap.Plural(q.Open, "request") + ", none of them over"
	case q.Max == 1:
		return mishap.Plural(q.N, "request") + ", none tried again"
	default:
		text := perRequest(q.Mean)
		if b.Backoff.Kind == Unknown && b.Backoff.Gaps == nil {
			return text + fmt.Sprintf(", at most %d", q.Max)
		}
		return text + ", " + b.Backoff.Words() + ", " + b.Jitter.Words(b.Backoff.Kind)
	}
}

// Words are the kind of backoff with its numbers.
func (b Backoff) Words() string {
	text := "gaps " + string(b.Kind)
	switch b.Kind {
	case Immediate:
		text = "no gaps (immediate)"
	case Constant:
		text += fmt.Sprintf(" (%s)", short(b.First))
	case Linear:
		text += fmt.Sprintf(" (%s, %s more each time)", short(b.First), short(b.Step))
	case Exponential:
		text += fmt.Sprintf(" (%s ×%s", short(b.First), number(b.Factor))
		if b.Cap > 0 {
			text += " up to " + short(b.Cap)
		}
		text += ")"
	case Mixture:
		n := 0
		for _, p := range b.Parts {
			n += p.Requests
		}
		text = "a mixture of policies:"
		for i, p := range b.Parts {
			text += fmt.Sprintf("%s %d of %s with %s", map[bool]string{true: ","}[i > 0], p.Requests, mishap.Plural(n, "request"), p.Words)
		}
	default:
		text += ": " + b.Why
	}
	if b.AtOnce {
		text += " after a first one at once"
	}
	return text
}

// Words say whether pauses vary.
func (j Jitter) Words(kind BackoffKind) string {
	switch {
	case j.Kind == JitterAbsent:
		return "no jitter"
	case j.Kind == JitterUnknown && (kind == Unknown || kind == Mixture):
		return "jitter unknown"
	case j.Kind == JitterUnknown:
		return "jitter unknown: " + j.Why
	case j.Form == "full":
		return "full jitter"
	default:
		return fmt.Sprintf("jitter ±%.0f%%", j.Spread*100)
	}
}

// Words say how long callers wait.
func (t Timeout) Words() string {
	if len(t.Waits) == 0 {
		if t.GaveUp > 0 {
			return mishap.Plural(t.GaveUp, "caller") + " left without an answer, at no common moment"
		}
		return fmt.Sprintf("nobody gave up waiting; the longest wait was %s", short(t.Longest))
	}
	var each []string
	for _, w := range t.Waits {
		each = append(each, fmt.Sprintf("after %s (%s)", short(w.Median), mishap.Plural(w.N, "time")))
	}
	return "callers give up waiting " + strings.Join(each, ", ")
}

// Words say when callers stopped calling, and how they came back.
func (c Circuit) Words() string {
	switch c.Kind {
	case CircuitNever:
		return fmt.Sprintf("callers never stopped calling: %s of failures", short(c.Failing))
	case CircuitOpens:
		text := fmt.Sprintf("callers stopped %s after the first failure (%s)", short(c.After), mishap.Plural(c.Failures, "failed call"))
		switch {
		case c.Bursts == 1:
			text += fmt.Sprintf(", tried once more with %d", c.Probes)
		case c.Bursts > 1:
			text += fmt.Sprintf(", tried again every %s (%s calls/s)", short(c.Every), number(c.Rate))
		}
		if c.Closed > 0 {
			text += ", and called on"
		}
		if c.Guess {
			text += "; without ids, backoff would look the same"
		}
		return text
	default:
		return "whether callers stop calling is unknown: " + c.Why
	}
}

// Words say how requests end that fail for good.
func (e Ends) Words() string {
	switch {
	case e.Never:
		return "nobody gave up trying"
	case e.After > 0:
		return "callers give up after " + mishap.Plural(e.After, "attempt")
	case e.Failed >= leastEnds:
		return mishap.Plural(e.Failed, "request") + " given up, after different numbers of attempts"
	case e.Failed > 0:
		return mishap.Plural(e.Failed, "request") + " given up, too few to tell after how many attempts"
	default:
		return ""
	}
}

// perRequest is how many attempts a request takes on average: "1 attempt per request", also where it is rounded to 1.
func perRequest(mean float64) string {
	if text := number(mean); text != "1" {
		return text + " attempts per request"
	}
	return mishap.Plural(1, "attempt") + " per request"
}

// number is a number with one decimal if it needs one.
func number(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// short is a duration with two or three digits.
func short(d mishap.Duration) string {
	unit := time.Microsecond
	for v := d.Std(); v/unit >= 1000; {
		unit *= 10
	}
	return mishap.Duration(d.Std().Round(unit)).String()
}
