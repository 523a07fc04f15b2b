package analysis

import (
	"math"
	"time"
)

// walk is the evidence of one bet as a random walk: what it gains per second on
// average, the variance of that, and the logarithm of its weight.
type walk struct{ logW, drift, variance float64 }

// walkOf is the walk of a bet when both arms' categories come at these rates
// per second, as Poisson counts.
func walkOf(b bet, rateE, rateC []float64) walk {
	w := walk{}
	for i := range rateE {
		w.drift += rateE[i]*b.e[i] + rateC[i]*b.c[i]
		w.variance += rateE[i]*b.e[i]*b.e[i] + rateC[i]*b.c[i]*b.c[i]
	}
	return w
}

func weighWalks(walks []walk, logW []float64) {
	for k := range walks {
		walks[k].logW = logW[k]
	}
}

// forecast is when a mixture of walks reaches the level: the time t at which
// logSumExp(logW[k] + drift[k]*t) does, and half a look, for looks come late.
func forecast(walks []walk, level, dispersion float64, r Rates) Forecast {
	look := orElse(r.Look, time.Second).Seconds()
	at := func(t float64) float64 {
		terms := make([]float64, len(walks))
		for k, w := range walks {
			terms[k] = w.logW + w.drift/dispersion*t
		}
		return logSumExp(terms...)
	}
	limit := longest.Seconds()
	if at(limit) < level {
		return Forecast{Mean: longest, P90: longest}
	}
	t := root(0, limit, func(t float64) bool { return at(t) < level })
	best := walks[0]
	for _, w := range walks {
		if w.logW+w.drift/dispersion*t > best.logW+best.drift/dispersion*t {
			best = w
		}
	}
	mean := max(t+look/2, look)
	rise := best.drift / dispersion * mean
	f := Forecast{Mean: seconds(mean), Shape: rise * rise / (best.variance / dispersion)}
	f.P90 = max(f.Mean, seconds(root(0, limit, func(t float64) bool { return f.Within(seconds(t)) < 0.9 })))
	return f
}

func seconds(s float64) time.Duration {
	if s >= longest.Seconds() {
		return longest
	}
	return time.Duration(s * float64(time.Second))
}

// stretch is the share of requests by bin if each took ratio times as long,
// those of a bin being spread evenly by the logarithm of their latency.
func stretch(mass, bounds []float64, ratio float64) []float64 {
	to := make([]float64, len(mass))
	shift := math.Log(ratio)
	edge := func(i int) float64 {
		switch {
		case i <= 0:
			return math.Log(bounds[0] / 4)
		case i > len(bounds):
			return math.Inf(1)
		}
		return math.Log(bounds[i-1])
	}
	for i, m := range mass {
		if i == len(mass)-1 {
			to[i] += m
			continue
		}
		low, high := edge(i)+shift, edge(i+1)+shift
		for j := range to {
			from := math.Inf(-1)
			if j > 0 {
				from = edge(j)
			}
			if over := min(high, edge(j+1)) - max(low, from); over > 0 {
				to[j] += m * over / (high - low)
			}
		}
	}
	return to
}
