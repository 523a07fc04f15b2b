package proxy

import (
	"fmt"

	"mishap"
)

// spreadWith says how long delays are; it is a part of every fault that delays.
type spreadWith struct {
	Delay        mishap.Duration   `json:"delay,omitempty" jsonschema:"how much later; the mean of the distribution"`
	Jitter       mishap.Duration   `json:"jitter,omitempty" jsonschema:"the standard deviation; of uniform, the most that the delay differs"`
	Distribution string            `json:"distribution,omitempty" jsonschema:"constant, uniform (default with a jitter), normal, pareto, paretonormal or trace"`
	Correlation  mishap.Share      `json:"correlation,omitempty" jsonschema:"how much a delay resembles the one before it, below 100%; default 0%"`
	Trace        []mishap.Duration `json:"trace,omitempty" jsonschema:"recorded delays, used in their order instead of delay and jitter"`
}

func (w spreadWith) problems() []error {
	const mostTraced = 10_000
	problems := oneOf("with.distribution", w.Distribution, "constant", "uniform", "normal", "pareto", "paretonormal", "trace")
	wrong := func(bad bool, path, format string, args ...any) {
		if bad {
			problems = append(problems, &mishap.FieldError{Path: "with." + path, Msg: fmt.Sprintf(format, args...)})
		}
	}
	if w.Trace != nil || w.Distribution == "trace" {
		wrong(len(w.Trace) == 0 || len(w.Trace) > mostTraced, "trace", "must have 1 to %d delays", mostTraced)
		wrong(w.Delay > 0 || w.Jitter > 0 || w.Correlation > 0, "trace", "gives the delays: leave out delay, jitter and correlation")
		wrong(w.Distribution != "" && w.Distribution != "trace", "distribution", "%s and a trace exclude each other", w.Distribution)
		for i, d := range w.Trace {
			wrong(d.Std() > longestWait, fmt.Sprintf("trace[%d]", i), "must be at most %s", mishap.Duration(longestWait))
		}
		return problems
	}
	problems = append(problems, wait("with.delay", w.Delay, false)...)
	wrong(w.Jitter > w.Delay, "jitter", "%s is more than the delay, %s", w.Jitter, w.Delay)
	wrong(w.Distribution == "constant" && w.Jitter > 0, "jitter", "a constant delay has none")
	wrong(w.Distribution != "" && w.Distribution != "constant" && w.Jitter == 0, "jitter", "is missing: distribution %s needs it", w.Distribution)
	wrong(w.Correlation >= 1, "correlation", "must be below 100%%")
	wrong(w.Correlation > 0 && w.Jitter == 0, "correlation", "needs a jitter")
	return problems
}

func (w spreadWith) effect() map[string]any {
	return map[string]any{"delay": w.Delay, "jitter": w.Jitter, "distribution": w.Distribution,
		"correlation": float64(w.Correlation), "trace": w.Trace}
}

// asked is the mean of what was asked for.
func (w spreadWith) asked() mishap.Duration {
	if len(w.Trace) == 0 {
		return w.Delay
	}
	var sum mishap.Duration
	for _, d := range w.Trace {
		sum += d
	}
	return sum / mishap.Duration(len(w.Trace))
}

// streamWith are the bytes that a fault hits.
type streamWith struct {
	Direction string       `json:"direction,omitempty" jsonschema:"upstream, downstream (default) or both"`
	Share     mishap.Share `json:"share,omitempty" jsonschema:"part of the connections, above 0%; default 100%; a connection is hit always or never"`
	Seed      uint64       `json:"seed,omitempty" jsonschema:"seed of all that is drawn, and of which connections are hit"`
}

func allStreams() streamWith { return streamWith{Direction: "downstream", Share: 1} }

func (w streamWith) hit() hit { return hit{w.Direction, w.Share, w.Seed} }

// connectionWith are the connections that a fault hits.
type connectionWith struct {
	Share mishap.Share `json:"share,omitempty" jsonschema:"part of the connections, above 0%; default 100%"`
	Seed  uint64       `json:"seed,omitempty" jsonschema:"seed of which connections are hit"`
}

func allConnections() connectionWith { return connectionWith{Share: 1} }

func (w connectionWith) hit() hit { return hit{"", w.Share, w.Seed} }
