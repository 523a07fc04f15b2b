package probes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
)

// measure makes one measurement. An error means that it did not come to an
// answer; whether that is the system's fault is for [probe.failed] to say.
type measure func(ctx context.Context, s *secrets) (mishap.Observation, error)

// probe is what all probes have in common: the deadline, the interrupt, what
// an error means, and that no secret gets out.
type probe struct {
	deps    Deps
	timeout time.Duration // as the experiment says
	late    string        // what it is called when the time is over: "no answer"
	source  bool          // asks about the system, not the system itself: no answer is unknown
	measure measure
}

// Observe makes one measurement.
func (p *probe) Observe(ctx context.Context) (o mishap.Observation) {
	begin := time.Now()
	s := &secrets{deps: p.deps}
	defer func() {
		if r := recover(); r != nil {
			o = mishap.Observation{Result: mishap.Unmeasured, Detail: fmt.Sprintf("the probe itself broke: %v", r)}
		}
		o.Value, o.Detail = s.clean(o.Value, leastHidden), s.clean(o.Detail, leastHidden)
	}()
	if err := ctx.Err(); err != nil {
		return p.failed(ctx, begin, err)
	}
	o, err := p.measure(ctx, s)
	if err != nil {
		return p.failed(ctx, begin, err)
	}
	return o
}

// failed says what it means that there was no answer.
func (p *probe) failed(ctx context.Context, begin time.Time, err error) mishap.Observation {
	var unknown *unmeasuredError
	stage := ""
	if at := new(stageError); errors.As(err, &at) {
		stage = at.stage
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return mishap.Observation{Result: mishap.Unmeasured, Detail: "interrupted"}
	case errors.As(err, &unknown):
		return mishap.Observation{Result: mishap.Unmeasured, Detail: unknown.reason}
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		detail := fmt.Sprintf("%s within %s", p.late, p.patience(begin))
		if stage != "" {
			detail += ", while " + stage
		}
		return mishap.Observation{Result: p.blame(stage != stageLookup), Detail: detail}
	default:
		reason, system := blame(err)
		return mishap.Observation{Result: p.blame(system), Detail: reason}
	}
}

// blame is unmet if the system under test is at fault.
func (p *probe) blame(system bool) mishap.Result {
	if system && !p.source {
		return mishap.Unmet
	}
	return mishap.Unmeasured
}

// patience is how long the probe waited: the timeout, or less if the caller
// gave it less.
func (p *probe) patience(begin time.Time) string {
	if waited := time.Since(begin); p.timeout <= 0 || waited < p.timeout-5*time.Millisecond {
		return span(waited)
	}
	return mishap.Duration(p.timeout).String()
}

// unmeasuredError is a failure of the measuring, not of the system.
type unmeasuredError struct{ reason string }

func (e *unmeasuredError) Error() string { return e.reason }

func unmeasured(format string, args ...any) error {
	return &unmeasuredError{reason: fmt.Sprintf(format, args...)}
}

// judgement collects what was found wrong with an answer.
type judgement struct {
	wrong  []string // expectations that are not met
	unsure []string // expectations that cannot be judged
}

func (j *judgement) unmet(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

func (j *judgement) unknown(format string, args ...any) {
	j.unsure = append(j.unsure, fmt.Sprintf(format, args...))
}

// observation is unmet if anything was wrong, whatever else is not known.
func (j *judgement) observation(value string) mishap.Observation {
	o := mishap.Observation{Result: mishap.Met, Value: value}
	switch {
	case len(j.wrong) > 0:
		o.Result, o.Detail = mishap.Unmet, strings.Join(j.wrong, "; ")
	case len(j.unsure) > 0:
		o.Result, o.Detail = mishap.Unmeasured, strings.Join(j.unsure, "; ")
	}
	return o
}

// latency judges a time taken; no limit is met by all.
func (j *judgement) latency(limit *Comparison, took time.Duration) {
	if limit != nil && !limit.Holds(took.Seconds()) {
		j.unmet("latency %s, expected %s", span(took), limit)
	}
}

// span is a duration with three digits that matter.
func span(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return mishap.Duration(d.Round(unit)).String()
}
