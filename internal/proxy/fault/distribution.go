package fault

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Distributions of a delay, beside a trace. Delay is the mean of each and Jitter its standard deviation, but for
// uniform, where Jitter is half of its width. The shapes are those of tc-netem(8): pareto has the shape 3, and
// paretonormal is a quarter normal and three quarters pareto. No draw is below 0 or above MaxDelay.
const (
	Constant     = "constant"
	Uniform      = "uniform"
	Normal       = "normal"
	Pareto       = "pareto"
	ParetoNormal = "paretonormal"
	Trace        = "trace" // the delays of a recording, in its order, each connection from a place of its own
)

func distributions() []string {
	return []string{Constant, Uniform, Normal, Pareto, ParetoNormal, Trace}
}

// maxTrace is how many delays a trace may have.
const maxTrace = 10_000

// Spread says how long delays are. It is a part of every effect that delays.
type Spread struct {
	Delay        Duration `json:"delay,omitempty"`
	Jitter       Duration `json:"jitter,omitempty"`
	Distribution string   `json:"distribution,omitempty"` // default uniform with a jitter, trace with a trace, else constant
	// Correlation, from 0 up to below 1, makes a delay resemble the one before it on its way of its connection. It is that
	// of the normal deviates behind the delays; a distribution stays what it is.
	Correlation float64    `json:"correlation,omitempty"`
	Trace       []Duration `json:"trace,omitempty"`
}

// kind is the distribution, also if it was left out.
func (s Spread) kind() string {
	switch {
	case s.Distribution != "":
		return s.Distribution
	case len(s.Trace) > 0:
		return Trace
	case s.Jitter > 0:
		return Uniform
	default:
		return Constant
	}
}

func (s Spread) check(errs *Problems) {
	kind := s.kind()
	errs.Add(!slices.Contains(distributions(), kind), "distribution %q is unknown: use one of %s", kind,
		strings.Join(distributions(), ", "))
	errs.Add(!(s.Correlation >= 0 && s.Correlation < 1), "correlation %v must be from 0 up to, but not, 1", s.Correlation)
	if kind == Trace {
		s.checkTrace(errs)
		return
	}
	errs.Add(len(s.Trace) > 0, "trace is given, and distribution %s: leave one of them out", kind)
	errs.checkSpan("delay", s.Delay, 1)
	errs.Add(s.Jitter < 0 || s.Jitter > s.Delay, "jitter %v must be between 0 and the delay, %v", time.Duration(s.Jitter),
		time.Duration(s.Delay))
	errs.Add(kind == Constant && s.Jitter > 0, "a constant delay has no jitter: leave it out, or choose a distribution")
	errs.Add(kind != Constant && s.Jitter == 0, "distribution %s needs a jitter", kind)
	errs.Add(s.Correlation > 0 && s.Jitter == 0, "correlation needs a jitter")
}

func (s Spread) checkTrace(errs *Problems) {
	errs.Add(len(s.Trace) == 0 || len(s.Trace) > maxTrace, "trace must have 1 to %d delays, it has %d", maxTrace,
		len(s.Trace))
	errs.Add(s.Delay != 0 || s.Jitter != 0 || s.Correlation != 0,
		"delay, jitter and correlation come from the trace: leave them out")
	for i, d := range s.Trace {
		if d < 0 || time.Duration(d) > MaxDelay {
			errs.checkSpan(fmt.Sprintf("trace[%d]", i), d, 0)
			return // one is enough of ten thousand
		}
	}
}

// sampler draws the delays of one way of one connection. It remembers the latest draw, which the next resembles.
type sampler struct {
	Spread
	Draws
	drawn  bool
	number uint64     // of the latest draw
	latest [2]float64 // the latest draw as standard normal deviates: of the distribution, and of pareto in paretonormal
}

// sample is the delay with that number; keep makes it the one that the next resembles.
func (s *sampler) sample(number uint64, keep bool) time.Duration {
	kind := s.kind()
	switch kind {
	case Constant:
		return time.Duration(s.Delay)
	case Trace:
		start := uint64(s.unit(math.MaxUint64) * float64(len(s.Trace)))
		return time.Duration(s.Trace[(start+number)%uint64(len(s.Trace))])
	}
	var z [2]float64
	for i := range z {
		z[i] = s.deviate(number, i)
	}
	if keep {
		s.drawn, s.number, s.latest = true, number, z
	}
	d := float64(s.Delay) + float64(s.Jitter)*standard(kind, z)
	return time.Duration(min(max(d, 0), float64(MaxDelay)))
}

// deviate is a standard normal deviate that is correlated with the one before it.
func (s *sampler) deviate(number uint64, i int) float64 {
	if s.drawn && number == s.number {
		return s.latest[i]
	}
	// Half a step away from 0 and 1, whose deviates are infinite.
	fresh := math.Sqrt2 * math.Erfinv(2*(s.unit(2*number+uint64(i))+0x1p-54)-1)
	if !s.drawn || s.Correlation == 0 {
		return fresh
	}
	return s.Correlation*s.latest[i] + math.Sqrt(1-s.Correlation*s.Correlation)*fresh
}

// standard turns normal deviates into one of a distribution with mean 0 and standard deviation 1; uniform lies from -1
// to 1.
func standard(kind string, z [2]float64) float64 {
	const meanOfPareto, deviationOfPareto = 1.5, 0.8660254037844386 // a/(a-1), and the root of a/((a-1)²(a-2)), for a = 3
	pareto := func(z float64) float64 {
		return (math.Pow(tail(z), -1.0/3) - meanOfPareto) / deviationOfPareto
	}
	switch kind {
	case Uniform:
		return 1 - 2*tail(z[0])
	case Normal:
		return z[0]
	case Pareto:
		return pareto(z[0])
	default: // ParetoNormal
		return (0.25*z[0] + 0.75*pareto(z[1])) / math.Sqrt(0.25*0.25+0.75*0.75)
	}
}

// tail is how likely a normal deviate above z is; never 0.
func tail(z float64) float64 { return math.Max(math.Erfc(z/math.Sqrt2)/2, 0x1p-60) }
