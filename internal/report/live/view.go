// Package live shows a run while it goes on: redrawn in place on a terminal, as
// lines anywhere else. A view never makes a run wait for its reader.
package live

import (
	"io"
	"os"
	"sync"
	"time"

	"mishap"
	"mishap/internal/terminal"
)

// View shows a run while it goes on.
type View interface {
	// Seen is told every entry, after the run has applied it. It keeps nothing
	// of the run, and never waits for whoever reads the view: a terminal that is
	// paused must not keep a run from reverting.
	Seen(e mishap.Entry, r *mishap.Run)
	// Say puts lines between what the view shows, such as an answer to Ctrl-C.
	// The text ends with a newline. It does not wait either.
	Say(text string)
	// Close leaves the last state behind and the cursor below it.
	Close()
}

// New makes a live view on a terminal, and plain lines anywhere else.
func New(w io.Writer) View { return newView(w, false) }

// NewPassing is [New], but on a terminal nothing of it is left when it is closed,
// because what follows says the same.
func NewPassing(w io.Writer) View { return newView(w, true) }

func newView(w io.Writer, passing bool) View {
	if !terminal.Of(w).Drawn {
		return newPlain(w)
	}
	size := func() (columns, rows int) {
		room := terminal.Of(w)
		return room.Columns, room.Rows
	}
	return newTerminal(w, size, os.Getenv("NO_COLOR") == "", passing, time.Now)
}

// NewPlain makes plain lines also on a terminal.
func NewPlain(w io.Writer) View { return newPlain(w) }

// NewQuiet shows nothing but what is said.
func NewQuiet(w io.Writer) View { return quiet{newPlain(w)} }

type quiet struct{ View }

// Seen shows nothing.
func (quiet) Seen(mishap.Entry, *mishap.Run) {}

// patience is how long Close waits for a reader that has stopped reading.
const patience = 5 * time.Second

// background does some work from a goroutine of its own: soon after it was
// asked to, at every tick, and once more at the end.
type background struct {
	asked chan struct{}
	over  chan struct{}
	done  chan struct{}
	once  sync.Once
}

// inBackground starts to work; every 0 means that there are no ticks.
func inBackground(every time.Duration, work func(last bool)) *background {
	b := &background{asked: make(chan struct{}, 1), over: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		var ticks <-chan time.Time
		if every > 0 {
			t := time.NewTicker(every)
			defer t.Stop()
			ticks = t.C
		}
		for {
			select {
			case <-ticks:
				work(false)
			case <-b.asked:
				work(false)
			case <-b.over:
				work(true)
				return
			}
		}
	}()
	return b
}

// soon asks for work and does not wait for it.
func (b *background) soon() {
	select {
	case b.asked <- struct{}{}:
	default: // asked already
	}
}

// end waits until all work is done, but not longer than patience.
func (b *background) end() {
	b.once.Do(func() { close(b.over) })
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-b.done:
	case <-t.C:
	}
}
