package analysis

import (
	"fmt"
	"math"
	"time"
)

// logSymmetry is F6, the evidence that a difference d (experiment minus
// control, in the direction of harm) is not symmetric about 0:
//
//	log e = log 2 - log(1 + exp(-2*lambda*d))
//
// It assumes that swapping the arms would leave the law of d as it is, as for
// arms of equal size; within the block that d is of anything may depend on
// anything. It gains at most log 2 per block, so that alpha 0.01 takes at least
// seven. Source: Vovk and Wang 2022, arXiv 2208.08925.
func logSymmetry(d, lambda float64) float64 {
	return math.Ln2 - logAddExp(0, -2*lambda*d)
}

// defaultBlock is used where no baseline has shown how long levels stick.
const defaultBlock = 30 * time.Second

// symmetric is the evidence of metrics that are compared block by block:
// gauges, and rates whose counts depend on each other.
type symmetric struct {
	Harm  harm    `json:"harm"`
	Clear average `json:"clear"`
	// The block that is being filled: width times difference, and width.
	Sum   float64       `json:"sum"`
	Width time.Duration `json:"width"`
	// Of past blocks: their number and the sum of min(d^2, 9*variance).
	Blocks  float64 `json:"blocks"`
	Squares float64 `json:"squares"`
	// Of the baseline: differences by bucket, their squares, and the products
	// of neighbours.
	BaseN       float64       `json:"baseN"`
	BaseSquares float64       `json:"baseSquares"`
	BaseCross   float64       `json:"baseCross"`
	BaseLast    float64       `json:"baseLast"`
	BaseWidth   time.Duration `json:"baseWidth"`

	metric Metric
	stake  stake
	rates  []float64
	logE   []float64
}

func newSymmetric(m Metric) *symmetric {
	s := &symmetric{metric: m, rates: []float64{0.05, 0.1, 0.2, 0.4, 0.8, 1.6}}
	s.stake = stake{logW: uniform(len(s.rates)), dispersion: 1}
	s.Harm = newHarm(s.stake)
	s.Clear = newAverage(1./6, 1./6, 1./6, 1./6, 1./6, 1./6)
	s.logE = make([]float64, len(s.rates))
	return s
}

func (s *symmetric) check(b *Bucket) error {
	if s.metric.Kind == Gauge && (b.Control.Gauge == nil || b.Experiment.Gauge == nil) {
		return fmt.Errorf("%w: an arm has no gauge", ErrBucket)
	}
	return nil
}

// difference is the bucket's, positive in the direction of harm. Of counts it
// is per second, so that buckets of any width can be joined.
func (s *symmetric) difference(b *Bucket) float64 {
	var d float64
	switch c, e := b.Control, b.Experiment; s.metric.Kind {
	case Gauge:
		d = *e.Gauge - *c.Gauge
	case SuccessRate:
		return float64((e.Requests-e.Successes)-(c.Requests-c.Successes)) / b.Width.Seconds()
	default:
		d = float64(e.Events-c.Events) / b.Width.Seconds()
	}
	if s.metric.Harm == Decrease {
		d = -d
	}
	return d
}

func (s *symmetric) learn(b *Bucket, _ bool) {
	d := s.difference(b)
	if s.BaseN > 0 {
		s.BaseCross = finite(s.BaseCross + d*s.BaseLast)
	}
	s.BaseN, s.BaseSquares, s.BaseLast, s.BaseWidth = s.BaseN+1, finite(s.BaseSquares+d*d), d, b.Width
}

// sticks is the correlation of neighbouring differences in the baseline.
func (s *symmetric) sticks() float64 {
	if s.BaseSquares <= 0 {
		return 0
	}
	return min(max(s.BaseCross/s.BaseSquares, 0), 0.99)
}

// block is how much is compared at a time: at least 4/(1-phi) buckets, phi
// being how much neighbours are alike (8.6 of docs/analysis.md).
func (s *symmetric) block() time.Duration {
	if s.BaseN < 30 {
		return orElse(s.metric.Block, defaultBlock)
	}
	return max(s.metric.Block, time.Duration(4/(1-s.sticks())*float64(s.BaseWidth)))
}

// sigma is the scale of past differences of blocks, the baseline's included;
// 0 is: nothing is known yet, and nothing can be bet.
func (s *symmetric) sigma() float64 {
	weight, squares := s.Blocks, s.Squares
	if s.BaseN >= 30 {
		phi, perBlock := s.sticks(), float64(s.block())/float64(s.BaseWidth)
		weight += s.BaseN / perBlock
		squares += s.BaseSquares / perBlock * (1 + phi) / (1 - phi) / perBlock
	}
	if weight <= 0 {
		return 0
	}
	return math.Sqrt(squares / weight)
}

func (s *symmetric) observe(b *Bucket) {
	s.Sum = finite(s.Sum + s.difference(b)*b.Width.Seconds())
	s.Width += b.Width
	if s.Width < s.block() {
		return
	}
	d, sigma := s.Sum/s.Width.Seconds(), s.sigma()
	if sigma > 1e-140 {
		for k, c := range s.rates {
			s.logE[k] = logSymmetry(d, c/sigma)
			if margin := s.metric.Margin.Difference; margin > 0 {
				s.Clear.add(k, logSymmetry(margin-d, c/sigma))
			}
		}
		s.Harm.observe(s.stake, s.Width.Seconds(), s.logE, nil)
	}
	square := d * d
	if sigma > 0 && (s.BaseN >= 30 || s.Blocks >= 5) {
		square = min(square, 9*sigma*sigma)
	}
	s.Squares, s.Blocks = finite(s.Squares+square), s.Blocks+1
	s.Sum, s.Width = 0, 0
}

func (s *symmetric) harm() (*harm, stake) { return &s.Harm, s.stake }
func (s *symmetric) clearLogE() float64   { return s.Clear.logE() }
