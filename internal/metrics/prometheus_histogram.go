package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mishap/internal/analysis"
	"mishap/internal/prometheus"
)

// shape is what kind of histogram a selector finds, once that is known.
type shape int

const (
	unknownShape shape = iota
	classicShape
	nativeShape
)

// readHistograms asks for a native histogram, or if there is none for a classic
// one.
func (c *promCounts) readHistograms(ctx context.Context, i int, look time.Duration) ([]found, map[string]bool, error) {
	a := c.asks[i]
	if c.shapes[i] != classicShape && !strings.HasSuffix(a.pick.name, "_bucket") {
		series, err := c.client.query(ctx, rangeOf(a.pick, look), time.Time{})
		if err != nil {
			return nil, nil, err
		}
		if all, err := c.readNative(a, series); len(all) > 0 || err != nil || c.shapes[i] == nativeShape {
			c.shapes[i] = nativeShape
			return all, nil, err
		}
	}
	pick := a.pick
	if !strings.HasSuffix(pick.name, "_bucket") {
		pick.name += "_bucket"
	}
	series, err := c.client.query(ctx, rangeOf(pick, look), time.Time{})
	if err != nil {
		return nil, nil, err
	}
	all := readClassic(a, series)
	if len(all) > 0 {
		c.shapes[i] = classicShape
	}
	return all, nil, nil
}

// edge is one cumulative bin of a classic histogram.
type edge struct {
	bound float64
	count int64
}

// classic is all bins of one classic histogram at one time.
type classic struct {
	proto sample
	at    time.Time
	edges []edge
	err   error
}

// readClassic puts the bins of each histogram together.
func readClassic(a ask, series []prometheus.Series) []found {
	var order []string
	whole := map[string]*classic{}
	for _, one := range series {
		arm, ok := a.armOf(one.Metric)
		if !ok {
			continue
		}
		name := a.path + " " + labelText(one.Metric, "le")
		bound, errBound := strconv.ParseFloat(one.Metric["le"], 64)
		for _, value := range one.Values {
			at, n, err := readCount(value, name)
			key := name + at.Format(time.RFC3339Nano)
			h := whole[key]
			if h == nil {
				h = &classic{proto: sample{target: targetOf(one.Metric), series: name, unit: a.unitOf(one.Metric), arm: arm}, at: at}
				whole[key], order = h, append(order, key)
			}
			h.edges = append(h.edges, edge{bound, n})
			h.err = errors.Join(h.err, err, errBound)
		}
	}
	all := make([]found, 0, len(order))
	for _, key := range order {
		h := whole[key]
		s := found{sample: h.proto, err: h.err}
		s.at = h.at
		if s.err == nil {
			s.total.Latency, s.err = bins(h.edges)
		}
		if s.err != nil {
			s.err = fmt.Errorf("%s at %s: %w", s.series, s.at.Format(time.TimeOnly), s.err)
		}
		all = append(all, s)
	}
	return all
}

// bins turns cumulative counts into those of bins. What is not above 0 joins the
// next bin: latencies are not negative.
func bins(edges []edge) (analysis.Histogram, error) {
	slices.SortFunc(edges, func(a, b edge) int {
		switch {
		case a.bound < b.bound:
			return -1
		case a.bound > b.bound:
			return 1
		}
		return 0
	})
	var h analysis.Histogram
	if n := len(edges); n < 2 || !math.IsInf(edges[n-1].bound, 1) {
		return h, fmt.Errorf("%w: a histogram without a last bin (le=\"+Inf\"), or with that alone", analysis.ErrBucket)
	}
	below := int64(0)
	for i, e := range edges {
		if i > 0 && e.bound == edges[i-1].bound || math.IsNaN(e.bound) {
			return h, fmt.Errorf("%w: a histogram with bound %g twice", analysis.ErrBucket, e.bound)
		}
		if e.count < below {
			return h, fmt.Errorf("%w: a histogram that counts %d up to %g, and more below", analysis.ErrBucket, e.count, e.bound)
		}
		if e.bound <= 0 {
			continue
		}
		if !math.IsInf(e.bound, 1) {
			h.Bounds = append(h.Bounds, e.bound)
		}
		h.Counts = append(h.Counts, e.count-below)
		below = e.count
	}
	if len(h.Bounds) == 0 {
		return h, fmt.Errorf("%w: a histogram without a bound above 0", analysis.ErrBucket)
	}
	return h, nil
}

// native is a native histogram as the API gives it: bins are how their bounds
// are meant, left, right and count.
type native struct {
	Buckets [][4]json.RawMessage `json:"buckets"`
}

// readNative reads native histograms into the bounds of the first ones.
func (c *promCounts) readNative(a ask, series []prometheus.Series) ([]found, error) {
	if c.grid == nil {
		if err := c.chooseGrid(a, series); c.grid == nil || err != nil {
			return nil, err
		}
	}
	var all []found
	for _, one := range series {
		arm, ok := a.armOf(one.Metric)
		if !ok {
			continue
		}
		proto := sample{target: targetOf(one.Metric), series: a.path + " " + labelText(one.Metric, ""), unit: a.unitOf(one.Metric), arm: arm}
		for _, point := range one.Histograms {
			s := found{sample: proto}
			if s.at, s.err = readTime(point[0]); s.err == nil {
				s.total.Latency, s.err = c.grid.read(point[1])
			}
			if s.err != nil {
				s.err = fmt.Errorf("%s: %w", s.series, s.err)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// chooseGrid takes the bounds of the coarsest histogram that there is.
func (c *promCounts) chooseGrid(a ask, series []prometheus.Series) error {
	coarse := math.MaxInt
	for _, one := range series {
		for _, point := range one.Histograms {
			bins, err := readBins(point[1])
			if err != nil {
				return err
			}
			for _, b := range bins {
				if b.left > 0 {
					coarse = min(coarse, b.scale)
				}
			}
		}
	}
	if coarse == math.MaxInt {
		return nil // none has seen anything yet
	}
	var err error
	c.grid, err = newGrid(coarse, 1)
	if err != nil {
		return fmt.Errorf("%s: %w", a.pick, err)
	}
	return nil
}

// nativeBin is a bin of a native histogram; one that begins at or below 0 has no
// scale.
type nativeBin struct {
	left, right float64
	count       int64
	scale       int
}

func readBins(raw json.RawMessage) ([]nativeBin, error) {
	var h native
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, fmt.Errorf("read histogram: %w", err)
	}
	var all []nativeBin
	for _, bucket := range h.Buckets {
		var numbers [3]float64
		for i, raw := range bucket[1:] {
			var text string
			err := json.Unmarshal(raw, &text)
			if err == nil {
				numbers[i], err = strconv.ParseFloat(text, 64)
			}
			if err != nil {
				return nil, fmt.Errorf("read histogram: %w", err)
			}
		}
		n, err := counted(numbers[2])
		if err != nil {
			return nil, err
		}
		b := nativeBin{left: numbers[0], right: numbers[1], count: n}
		if b.right <= 0 {
			return nil, fmt.Errorf("%w: a latency below 0", analysis.ErrBucket)
		}
		if b.left > 0 {
			var ok bool
			if b.scale, ok = scaleOf(b.left, b.right); !ok {
				return nil, fmt.Errorf("%w: a native histogram with bounds of its own (%g to %g); scrape it as a classic one", analysis.ErrScheme, b.left, b.right)
			}
		}
		all = append(all, b)
	}
	return all, nil
}

// read puts a native histogram into the grid.
func (g *grid) read(raw json.RawMessage) (analysis.Histogram, error) {
	h := g.empty()
	bins, err := readBins(raw)
	if err != nil {
		return h, err
	}
	for _, b := range bins {
		scale, exact := g.scale, 0.0
		if b.left > 0 {
			scale = b.scale
		}
		exact = math.Log2(b.right/g.unit) * math.Exp2(float64(scale))
		upper := int(math.Ceil(exact - 1e-6*math.Max(1, math.Abs(exact))))
		if math.IsInf(b.right, 1) {
			upper = math.MaxInt32
		}
		if err := g.add(&h, upper, scale, b.count); err != nil {
			return h, err
		}
	}
	return h, nil
}
