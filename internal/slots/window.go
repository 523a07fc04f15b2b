package slots

import "time"

const (
	// FirstWindow is how long after the injection the first window begins; each
	// of the next begins at twice the time.
	FirstWindow = 15 * time.Second
	// mostWindows is how many are kept: the newest.
	mostWindows = 7
)

// window counts what came since its beginning, beside the same baseline.
type window struct {
	number int // 1, 2, …
	start  time.Time
	place  int          // among the cells of a slot
	sums   [][2]Moments // per row with windows, and arm
}

// openUntil begins the windows that are due. The oldest gives its room to one
// too many: at eight times its age it hardly differs from the whole.
func (b *Book) openUntil(t time.Time) {
	for b.width > 0 {
		start := b.injected.Add(FirstWindow << b.opened)
		if b.opened >= 30 || t.Before(start) {
			return
		}
		b.opened++
		if b.later == nil {
			b.later = make([]cell, 2*b.slots*mostWindows*b.width)
		}
		w := &window{}
		if len(b.windows) == mostWindows {
			w = b.windows[0]
			b.windows = b.windows[1:]
			clear(w.sums)
			for at := range 2 * b.slots {
				clear(w.of(b, at))
			}
		} else {
			w.place, w.sums = len(b.windows), make([][2]Moments, b.width)
		}
		w.number, w.start = b.opened, start
		b.windows = append(b.windows, w)
	}
}

// of are the cells of a slot.
func (w *window) of(b *Book, at int) []cell {
	i := (at*mostWindows + w.place) * b.width
	return b.later[i : i+b.width]
}
