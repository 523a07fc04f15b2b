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
	cells  []cell       // per arm, slot and row with windows
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
		w := &window{}
		if len(b.windows) == mostWindows {
			w = b.windows[0]
			b.windows = b.windows[1:]
			clear(w.cells)
			clear(w.sums)
		} else {
			w.cells, w.sums = make([]cell, 2*b.slots*b.width), make([][2]Moments, b.width)
		}
		w.number, w.start = b.opened, start
		b.windows = append(b.windows, w)
	}
}
