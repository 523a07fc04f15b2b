package metrics_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// plant is targets that are scraped every 10 s at phases of their own, each with
// a counter for each arm that grows by 10 (control) and 20 a scrape.
type plant struct {
	metrics.Rounds
	phases  map[string]float64
	down    map[string]bool // scrapes fail
	offset  map[string]int64
	buckets []analysis.Bucket
	errs    []error
}

func newPlant(phases ...float64) *plant {
	p := &plant{Rounds: metrics.NewRounds(5*time.Second, false), phases: map[string]float64{}, down: map[string]bool{}, offset: map[string]int64{}}
	for i, phase := range phases {
		p.phases[fmt.Sprintf("t%d", i)] = phase
	}
	return p
}

// scrape lets the k-th interval pass, looking at the readings every second.
func (p *plant) scrape(k int) {
	for second := range 10 {
		for target, phase := range p.phases {
			if phase >= float64(second) && phase < float64(second+1) && !p.down[target] {
				when := at(float64(k*10) + phase)
				p.Add(target, target+"/c", false, when, time.Time{}, int64(k*10)+p.offset[target])
				p.Add(target, target+"/e", true, when, time.Time{}, int64(k*20)+p.offset[target])
			}
		}
		b, errs := p.Close(at(float64(k*10 + second + 1)))
		p.buckets, p.errs = append(p.buckets, b...), append(p.errs, errs...)
	}
}

func (p *plant) take() (counts []int64, errs []error) {
	for _, b := range p.buckets {
		counts = append(counts, b.Control.Requests, b.Experiment.Requests)
	}
	errs, p.buckets, p.errs = p.errs, nil, nil
	return counts, errs
}

// expect lets intervals pass and fails unless they give the counts and no error.
func (p *plant) expect(t *testing.T, from, to int, want ...int64) {
	t.Helper()
	for k := from; k <= to; k++ {
		p.scrape(k)
	}
	counts, errs := p.take()
	if !slices.Equal(counts, want) || errs != nil {
		t.Errorf("intervals %d to %d: counts %v, errors %v; want %v", from, to, counts, errs, want)
	}
}

// refuses lets intervals pass of which one must be a gap.
func (p *plant) refuses(t *testing.T, from, to int, kind error, words string, want ...int64) {
	t.Helper()
	for k := from; k <= to; k++ {
		p.scrape(k)
	}
	counts, errs := p.take()
	complains(t, errors.Join(errs...), kind, words)
	if !slices.Equal(counts, want) {
		t.Errorf("intervals %d to %d: counts %v, want %v", from, to, counts, want)
	}
}

func TestABucketClosesWithTheLastReadingOfItsRound(t *testing.T) {
	p := newPlant(5, 7, 8.5)
	p.expect(t, 0, 2, 30, 60, 30, 60)
	if p.Interval() != 10*time.Second {
		t.Errorf("interval %s", p.Interval())
	}
	for second := range 9 { // the fourth interval up to its last reading
		if b, errs := p.Close(at(30 + float64(second))); len(b)+len(errs) > 0 {
			t.Errorf("closed at second %d: %v, %v", second, b, errs)
		}
	}
	p.scrape(3)
	if len(p.buckets) != 1 || !p.buckets[0].Start.Equal(at(28.5)) || p.buckets[0].Width != 10*time.Second {
		t.Errorf("bucket %+v", p.buckets)
	}
}

func TestEveryScrapeIsCountedOnceWhateverThePhases(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		p := newPlant()
		for i := range 1 + random.IntN(6) {
			p.phases[fmt.Sprint(i)] = 10 * random.Float64()
		}
		for k := range 12 {
			p.scrape(k)
		}
		var sum int64
		end := time.Time{}
		for _, b := range p.buckets {
			if b.Start.Before(end) {
				t.Fatalf("%v: buckets overlap", p.phases)
			}
			if n := int64(len(p.phases)); b.Control.Requests != 10*n || b.Experiment.Requests != 20*n {
				t.Fatalf("%v: bucket %+v", p.phases, b)
			}
			end, sum = b.Start.Add(b.Width), sum+1
		}
		if len(p.errs) > 0 || sum < 9 {
			t.Fatalf("%v: %d buckets, errors %v", p.phases, sum, p.errs)
		}
	}
}

func TestACounterThatFallsRefusesItsBucketAlone(t *testing.T) {
	p := newPlant(2, 3)
	p.expect(t, 0, 2, 20, 40, 20, 40)
	p.offset["t1"] = -25 // t1 restarts
	p.refuses(t, 3, 3, analysis.ErrReset, "10s from 12:00:23.000 are missing: t1/c: subtract totals: counter was reset")
	p.expect(t, 4, 5, 20, 40, 20, 40)
}

func TestAMissedScrapeIsMissingTimeAndIsNotInterpolated(t *testing.T) {
	p := newPlant(2, 6)
	p.expect(t, 0, 2, 20, 40, 20, 40)
	p.down["t1"] = true
	p.expect(t, 3, 3)
	p.down["t1"] = false
	p.refuses(t, 4, 5, metrics.ErrMissing, "t1/c, t1/e was not read\n14s from 12:00:42.000 are missing: metric is missing: t1/c was away and has come back", 10, 20)
	p.expect(t, 6, 7, 20, 40, 20, 40)
}

func TestATargetThatVanishesIsMissedOnce(t *testing.T) {
	p := newPlant(2, 6)
	p.expect(t, 0, 2, 20, 40, 20, 40)
	p.down["t1"] = true
	p.refuses(t, 3, 5, metrics.ErrMissing, "t1/c, t1/e was not read", 10, 20, 10, 20)
	p.expect(t, 6, 7, 10, 20, 10, 20)
}

func TestATargetThatJoinsIsCountedFromItsFirstReading(t *testing.T) {
	for _, phase := range []float64{1, 3, 6.9, 9} { // anywhere around the other
		p := newPlant(3)
		p.expect(t, 0, 2, 10, 20, 10, 20)
		p.phases["t9"], p.offset["t9"] = phase, 1000
		for k := 3; k < 6; k++ {
			p.scrape(k)
		}
		_, errs := p.take()
		complains(t, errors.Join(errs...), metrics.ErrMissing, "t9 has joined")
		if len(errs) != 1 {
			t.Errorf("phase %g: %d errors: %v", phase, len(errs), errs)
		}
		p.expect(t, 6, 7, 20, 40, 20, 40)
	}
}

// A series that is new on a target that was read before began at 0: failures
// often show for the first time in a series of their own.
func TestASeriesThatAppearsOnAKnownTargetIsCountedFromZero(t *testing.T) {
	p := newPlant(3)
	p.expect(t, 0, 2, 10, 20, 10, 20)
	p.Add("t0", "t0/e500", true, at(33), time.Time{}, 7)
	p.expect(t, 3, 3, 10, 27)
}

func TestAnArmWithoutNumbersIsMissingAndNotZero(t *testing.T) {
	r := metrics.NewRounds(5*time.Second, false)
	for k := range 4 {
		r.Add("t", "t/c", false, at(float64(10*k)), time.Time{}, int64(k))
	}
	buckets, errs := r.Close(at(31))
	complains(t, errors.Join(errs...), metrics.ErrMissing, "no numbers of the experiment arm")
	if len(buckets) > 0 {
		t.Errorf("buckets %v", buckets)
	}
}

func TestArmsThatAreReadApartAreRefused(t *testing.T) {
	r := metrics.NewRounds(5*time.Second, false)
	for k := range 4 {
		r.Add("a", "a/c", false, at(float64(10*k)), time.Time{}, int64(k))
		r.Add("b", "b/e", true, at(float64(10*k)+4), time.Time{}, int64(k))
	}
	buckets, errs := r.Close(at(35))
	complains(t, errors.Join(errs...), analysis.ErrClocks, "they are read 4s apart, and 2s is tolerated")
	if len(buckets) > 0 {
		t.Errorf("buckets %v", buckets)
	}
}

func TestSeriesOfDifferentIntervalsAreRefused(t *testing.T) {
	r := metrics.NewRounds(5*time.Second, false)
	for k := range 4 {
		r.Add("a", "a/c", false, at(float64(10*k)), time.Time{}, int64(k))
		r.Add("b", "b/e", true, at(float64(5*k)), time.Time{}, int64(k))
	}
	_, errs := r.Close(at(35))
	complains(t, errors.Join(errs...), analysis.ErrClocks, "some numbers are read every 5s, others every 10s")
}

func TestAMetricThatGoesMissingIsSaidAndTakenUpAgain(t *testing.T) {
	p := newPlant(3)
	p.expect(t, 0, 2, 10, 20, 10, 20)
	p.down["t0"] = true
	for k := 3; k < 12; k++ {
		p.scrape(k)
	}
	counts, errs := p.take()
	complains(t, errors.Join(errs...), metrics.ErrMissing, "nothing was read")
	if len(counts) > 0 {
		t.Errorf("counts %v", counts)
	}
	p.down["t0"] = false
	for k := 12; k < 15; k++ {
		p.scrape(k)
	}
	counts, errs = p.take()
	complains(t, errors.Join(errs...), nil, "counted anew from here on")
	if want := []int64{10, 20, 10, 20}; !slices.Equal(counts, want) || len(errs) != 1 {
		t.Errorf("after it came back: %v, %v", counts, errs)
	}
	p.expect(t, 15, 16, 10, 20, 10, 20)
}

func TestANewRhythmIsLearnt(t *testing.T) {
	p := newPlant(3)
	p.expect(t, 0, 2, 10, 20, 10, 20)
	for k := 3; k < 30; k++ { // every third scrape only
		p.down["t0"] = k%3 != 0
		p.scrape(k)
	}
	if _, errs := p.take(); len(errs) == 0 || p.Interval() != 30*time.Second {
		t.Errorf("interval %s, errors %v", p.Interval(), errs)
	}
	for k := 30; k < 36; k++ {
		p.down["t0"] = k%3 != 0
		p.scrape(k)
	}
	if counts, errs := p.take(); !slices.Equal(counts, []int64{30, 60, 30, 60}) || errs != nil {
		t.Errorf("counts %v, errors %v", counts, errs)
	}
}

// All time is either in a bucket or in a gap, none twice, whatever happens.
func TestBucketsAndGapsCoverTheTime(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for round := range 300 {
		p := newPlant(10*random.Float64(), 10*random.Float64(), 10*random.Float64())
		for k := range 30 {
			for _, target := range slices.Sorted(maps.Keys(p.phases)) {
				if k > 3 && random.IntN(12) == 0 {
					p.down[target] = !p.down[target]
				}
				if random.IntN(30) == 0 {
					p.offset[target] -= 35
				}
			}
			p.scrape(k)
		}
		type stretch struct{ from, to time.Time }
		var all []stretch
		for _, b := range p.buckets {
			all = append(all, stretch{b.Start, b.Start.Add(b.Width)})
			if n := b.Control.Requests; n < 0 || n > 30 || b.Width > 20*time.Second || 2*n != b.Experiment.Requests {
				t.Fatalf("round %d: bucket %+v", round, b)
			}
		}
		for _, err := range p.errs {
			var gap *metrics.Gap
			if errors.As(err, &gap) {
				all = append(all, stretch{gap.Start, gap.End})
			}
		}
		slices.SortFunc(all, func(a, b stretch) int { return a.from.Compare(b.from) })
		for i := 1; i < len(all); i++ {
			if !all[i].from.Equal(all[i-1].to) {
				t.Fatalf("round %d: %v to %v, then %v to %v", round, all[i-1].from, all[i-1].to, all[i].from, all[i].to)
			}
		}
	}
}
