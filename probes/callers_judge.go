package probes

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mishap"
)

const (
	leastRequests = 20                    // for a limit on attempts to be met
	waitSlack     = 50 * time.Millisecond // by which a proxy may see a caller leave late
)

// measure looks at the callers and judges them.
func (c *callersProbe) measure(ctx context.Context, _ *secrets) (mishap.Observation, error) {
	if c.deps.Callers == nil {
		return mishap.Observation{}, unmeasured("no proxy can be asked from here")
	}
	seen, err := c.deps.Callers(ctx, c.query)
	if err != nil {
		return mishap.Observation{}, unmeasured("%v", err)
	}
	var j judgement
	if seen.All.Calls == 0 {
		j.unknown("no call came in the last %s", mishap.Duration(c.query.Window))
		return j.observation(""), nil // the reason says it all
	}
	value := []string{seen.All.Summary}
	c.judgeAttempts(&j, seen.All)
	for _, one := range seen.oneByOne() {
		c.judgeGaps(&j, one)
	}
	if c.opens != nil || c.halfOpen != nil {
		value = append(value, seen.All.CircuitWords)
		c.judgeCircuit(&j, seen.All)
	}
	if c.timeout != nil {
		value = append(value, seen.All.TimeoutWords)
		c.judgeTimeout(&j, seen.All)
	}
	return j.observation(strings.Join(value, "; ")), nil
}

// oneByOne are the sources of which enough was seen, or all callers together.
func (s CallersSeen) oneByOne() (list []CallerSeen) {
	for _, one := range s.Sources {
		if one.Backoff != unknownKind {
			list = append(list, one)
		}
	}
	if list == nil {
		list = append(list, s.All)
	}
	return list
}

const unknownKind = "unknown"

// upper says whether more can only make it worse, so that what is too much
// after few requests is too much after many.
func (c Comparison) upper() bool { return strings.HasPrefix(c.Op, "<") }

func (c *callersProbe) judgeAttempts(j *judgement, s CallerSeen) {
	few := s.Requests < leastRequests
	switch limit := c.attempts; {
	case limit == nil:
	case !s.HasIDs:
		j.unknown("attempts cannot be counted: they have no id that says which request they belong to")
	case !limit.Holds(float64(s.MaxAttempts)) && (limit.upper() || !few):
		j.unmet("%s, expected %s (%s)", mishap.Plural(s.MaxAttempts, "attempt"), limit, s.Summary)
	case few:
		j.unknown("%s seen to the end, and %d are needed", mishap.Plural(s.Requests, "request"), leastRequests)
	}
	switch limit := c.amplification; {
	case limit == nil:
	case !s.HasIDs && s.LoadRatio == 0:
		j.unknown("amplification is unknown: attempts have no id, and the window does not hold calls both with and without failures")
	case !s.HasIDs && !limit.Holds(s.LoadRatio):
		j.unmet("%.1f times the calls while they fail, expected %s", s.LoadRatio, limit)
	case !s.HasIDs:
	case few:
		j.unknown("amplification: %s seen to the end, and %d are needed", mishap.Plural(s.Requests, "request"), leastRequests)
	case !limit.Holds(s.Mean):
		j.unmet("%.1f attempts per request, expected %s (%s)", s.Mean, limit, s.Summary)
	}
}

func (c *callersProbe) judgeGaps(j *judgement, s CallerSeen) {
	from := ""
	if s.Source != "" {
		from = "from " + s.Source + ": "
	}
	switch {
	case c.backoff == "" || s.Backoff == c.backoff:
	case s.Backoff == unknownKind:
		j.unknown("%sbackoff is unknown: %s", from, s.BackoffWhy)
	case c.backoff == "linear" && s.EvenSteps:
		j.unknown("%sbackoff is linear or exponential: %s", from, s.BackoffWords)
	default:
		j.unmet("%s%s, expected %s", from, s.BackoffWords, c.backoff)
	}
	switch {
	case c.jitter == "" || s.Jitter == c.jitter:
	case s.Jitter == unknownKind:
		if why := fmt.Sprintf("%sjitter is unknown: %s", from, s.JitterWhy); s.JitterWhy != s.BackoffWhy || c.backoff == "" {
			j.unknown("%s", why)
		}
	default:
		j.unmet("%s%s, expected jitter %s", from, s.JitterWords, c.jitter)
	}
}

func (c *callersProbe) judgeCircuit(j *judgement, s CallerSeen) {
	switch limit := c.opens; {
	case limit == nil:
	case s.Circuit == "opens" && !limit.Holds(s.Opened.Seconds()):
		j.unmet("callers stopped after %s, expected %s", span(s.Opened), limit)
	case s.Circuit == "opens":
	case s.Circuit == "never" && limit.upper() && !limit.Holds(s.Failing.Seconds()):
		j.unmet("callers did not stop in %s of failures, expected %s", span(s.Failing), limit)
	case s.Circuit == "never":
		j.unknown("callers have not stopped yet, after %s of failures", span(s.Failing))
	default:
		j.unknown("%s", s.CircuitWords)
	}
	switch limit := c.halfOpen; {
	case limit == nil:
	case s.Circuit != "opens":
		j.unknown("half-open is unknown: no circuit was seen to open")
	case s.Trials == 0 && s.Open.Seconds()*limit.Limit.Float() < 3:
		j.unknown("half-open is unknown: open for %s, and not tried again yet", span(s.Open))
	case !limit.Holds(s.TrialRate):
		j.unmet("%.1f calls/s while open, expected %s", s.TrialRate, limit)
	}
}

func (c *callersProbe) judgeTimeout(j *judgement, s CallerSeen) {
	limit := c.timeout
	over := func(d time.Duration) bool { return limit.upper() && !limit.Holds((d - d/20 - waitSlack).Seconds()) }
	switch {
	case over(s.Timeout) || s.Timeout > 0 && !limit.upper() && !limit.Holds(s.Timeout.Seconds()):
		j.unmet("callers give up after %s, expected %s", span(s.Timeout), limit)
	case over(s.LongestWait):
		j.unmet("a caller waited %s, expected %s", span(s.LongestWait), limit)
	case s.Timeout == 0:
		j.unknown("timeout is unknown: nobody gave up waiting, and the longest wait was %s", span(s.LongestWait))
	}
}
