package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"mishap"
	"mishap/internal/plaintext"
	"mishap/internal/report/live"
	"mishap/internal/terminal"
)

const (
	mostQueued = 1 << 20         // bytes that wait for a reader
	chunk      = 32 << 10        // bytes written at once
	patience   = 2 * time.Second // without any progress, before a reader counts as stuck
)

// console writes what is said on the way to a terminal, a pipe or a file, from
// a goroutine of its own. Whoever writes to it never waits and never fails: a
// reader that is gone or does not read, or a full disk, costs lines and holds up
// no revert. How many were lost is said as soon as something can be written.
// What is written is plain text: nothing in it acts on a terminal.
type console struct {
	to    io.Writer
	folds int // columns that a sentence is folded to, as [terminal.Room.Folds] says

	mu      sync.Mutex
	queue   []byte
	filter  *plaintext.Filter
	lost    int           // writes that found no room, or failed
	idle    chan struct{} // closed when all is written; nil: nothing ever was
	writing bool
	moved   int  // writes that are done
	stuck   bool // whoever waits does so no more, until something moves
}

// Columns is what there is room for; 0: as much as it takes.
func (c *console) Columns() int { return c.folds }

// Folds is how many columns a sentence is folded to; 0: it is one line.
func (c *console) Folds() int { return c.folds }

// Write queues the text; it never fails.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.filter == nil {
		c.filter = &plaintext.Filter{To: queued{c}}
	}
	return c.filter.Write(p)
}

// queued takes what passed the filter of a console, whose lock is held.
type queued struct{ *console }

func (c queued) Write(p []byte) (int, error) {
	if len(c.queue)+len(p) > mostQueued {
		c.lost++
		return len(p), nil
	}
	c.queue = append(c.queue, p...)
	if !c.writing {
		c.writing, c.idle = true, make(chan struct{})
		go c.write()
	}
	return len(p), nil
}

// write writes until nothing is left, and first how much was lost.
func (c *console) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 {
		text, lost := c.queue, c.lost
		c.queue, c.lost = nil, 0
		if lost > 0 {
			text = append(fmt.Appendf(nil, "mishap: %s could not be written\n", mishap.Plural(lost, "message")), text...)
		}
		if !c.put(text) {
			c.lost += lost + 1
		}
	}
	c.writing = false
	close(c.idle)
}

// put writes a text in pieces, so that it is seen to move, and lets others have
// the lock meanwhile. It reports whether all is written.
func (c *console) put(text []byte) bool {
	for len(text) > 0 {
		part := text[:min(len(text), chunk)]
		text = text[len(part):]
		c.mu.Unlock()
		_, err := c.to.Write(part)
		c.mu.Lock()
		c.moved, c.stuck = c.moved+1, false
		if err != nil {
			return false
		}
	}
	return true
}

// drain waits until all is written, as long as something moves.
func (c *console) drain() {
	for {
		c.mu.Lock()
		idle, moved, wait := c.idle, c.moved, c.writing && !c.stuck
		c.mu.Unlock()
		if !wait {
			return
		}
		select {
		case <-idle:
			return
		case <-time.After(patience):
		}
		c.mu.Lock()
		c.stuck = c.moved == moved
		c.mu.Unlock()
	}
}

// results is where what a command was asked for goes, as plain text or as exact
// JSON: nothing in it acts on a terminal, but for the colours of what decides.
func (c *cli) results() *sheet {
	room := terminal.Of(c.environment.out)
	return &sheet{columns: room.Columns, folds: room.Folds(), Filter: plaintext.Filter{
		To:   result{painted(c.toOut), c.err},
		JSON: func() bool { return c.output == "json" || c.output == "journal" },
	}}
}

// sheet is a filter that knows how wide its terminal is.
type sheet struct {
	plaintext.Filter
	columns, folds int
}

// Columns is what there is room for.
func (s *sheet) Columns() int { return s.columns }

// Folds is how many columns a sentence is folded to; 0: it is one line.
func (s *sheet) Folds() int { return s.folds }

// result writes what a command was asked for. It waits for its reader, and what
// was said before is there first.
type result struct {
	to     io.Writer
	before *console
}

// Write gives an [unwritten] where it fails.
func (r result) Write(p []byte) (int, error) {
	r.before.drain()
	n, err := r.to.Write(p)
	if err != nil {
		err = unwritten{err}
	}
	return n, err
}

// remembering keeps the first error of what is written by who does not look at it,
// as cobra does not when it shows help.
type remembering struct {
	to  io.Writer
	err error
}

func (r *remembering) Write(p []byte) (int, error) {
	n, err := r.to.Write(p)
	r.err = cmp.Or(r.err, err)
	return n, err
}

// unwritten is the error of a result that could not be written.
type unwritten struct{ error }

func (u unwritten) Unwrap() error { return u.error }

// enough reports whether an error says no more than that the reader of a result
// has read as much as it wanted, as head(1) does.
func enough(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			if !enough(one) {
				return false
			}
		}
		return true
	}
	var u unwritten
	return errors.As(err, &u) && errors.Is(u, syscall.EPIPE)
}

// shown takes the error of writing the result of a run, whose exit code is its
// verdict's whether anybody reads it or not.
func (c *cli) shown(run string, err error) error {
	var u unwritten
	if !errors.As(err, &u) {
		return err
	}
	if !enough(err) {
		c.tell("mishap: the result could not be written: %v\nhint: `mishap report %s` shows it\n", u.error, run)
	}
	return nil
}

// view shows a run on stderr, below what was said before. It is not told to the
// console: it draws what is so now, and not all that was. A passing one leaves
// nothing behind on a terminal.
func (c *cli) view(passing bool) live.View {
	c.err.drain()
	switch {
	case c.plain:
		return live.NewPlain(c.toErr)
	case passing:
		return live.NewPassing(c.toErr)
	}
	return live.New(c.toErr)
}

// runView is that of a run whose result follows.
func (c *cli) runView() live.View {
	if c.brisk && !terminal.Of(c.environment.err).Drawn {
		return live.NewQuiet(c.toErr)
	}
	return c.view(c.brisk || terminal.Of(c.environment.out).Drawn && !c.json())
}
