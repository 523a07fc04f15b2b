package registry

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	subBits = 4                    // 16 buckets for each doubling
	subs    = 1 << subBits         //
	octaves = 32                   // from 1 µs to over an hour
	buckets = subs * (octaves + 1) // the first 16 µs have a bucket each
)

// Histogram counts delays in buckets that grow with the delay. It takes no memory until it counts.
type Histogram struct {
	Count    uint64
	Sum      time.Duration
	min, max time.Duration
	bucket   []uint64
}

func (h *Histogram) add(d time.Duration) {
	if h.bucket == nil {
		h.bucket = make([]uint64, buckets)
		h.min = d
	}
	h.Count++
	h.Sum += d
	h.min, h.max = min(h.min, d), max(h.max, d)
	h.bucket[bucketOf(d)]++
}

// bucketOf is the bucket of a delay.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < subs {
		return int(us)
	}
	octave := bits.Len64(us) - subBits // 1 for 16 to 31 µs
	return min(octave*subs+int(us>>(octave-1))-subs, buckets-1)
}

// middle is the delay in the middle of a bucket.
func middle(b int) time.Duration {
	if b < subs {
		return time.Duration(b)*time.Microsecond + time.Microsecond/2
	}
	octave := b / subs
	low, width := uint64(b%subs+subs)<<(octave-1), uint64(1)<<(octave-1)
	return time.Duration(low)*time.Microsecond + time.Duration(width)*time.Microsecond/2
}

// quantile is the smallest delay that at least the share q of all delays does not exceed.
func (h *Histogram) quantile(q float64) time.Duration {
	rank, seen := uint64(math.Ceil(q*float64(h.Count))), uint64(0)
	for b, n := range h.bucket {
		if seen += n; seen >= rank {
			return min(max(middle(b), h.min), h.max)
		}
	}
	return h.max
}

// Below is how many delays do not exceed the bound, as far as the buckets tell: one that the bound lies in counts if its
// middle does not.
func (h *Histogram) Below(bound time.Duration) (n uint64) {
	for b, count := range h.bucket {
		if middle(b) > bound {
			break
		}
		n += count
	}
	return n
}

// clone is a copy that is not counted into any more.
func (h *Histogram) clone() Histogram {
	other := *h
	other.bucket = slices.Clone(h.bucket)
	return other
}

func (h *Histogram) summary() Delays {
	if h.Count == 0 {
		return Delays{}
	}
	return Delays{h.Count, h.min, h.Sum / time.Duration(h.Count), h.max, h.quantile(0.50), h.quantile(0.99)}
}
