package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/bounded"
)

// writeWithin is how long a write of the journal may take.
const writeWithin = 10 * time.Second

// recorder numbers a run's entries, applies them to the run, and has them
// written to the journal by a goroutine of its own, in order: a ledger that is
// slow, locked or away holds up nobody who does not ask for [recorder.flush].
// What could not be written is kept, and written with the next entries.
type recorder struct {
	journal Journal
	seen    func(mishap.Entry, *mishap.Run)
	run     *mishap.Run
	defect  error        // an entry that the run did not take
	last    mishap.Entry // the one that ended the run

	mu      sync.Mutex
	backlog []mishap.Entry // not known to be written
	writing chan struct{}  // closed when the writing under way ends; nil: there is none
	since   time.Time      // when the write under way began
	failed  error          // the last write, if it failed
}

func newRecorder(j Journal, seen func(mishap.Entry, *mishap.Run), entries []mishap.Entry) (*recorder, error) {
	run, err := mishap.Replay(entries)
	if err != nil {
		return nil, err
	}
	r := &recorder{journal: j, seen: seen, run: run}
	for _, e := range entries {
		r.show(e)
	}
	return r, nil
}

func (r *recorder) show(e mishap.Entry) {
	if r.seen != nil {
		r.seen(e, r.run)
	}
}

// note numbers the entry and folds it into the run. It is written with the next
// write.
func (r *recorder) note(e mishap.Entry) {
	e.Run, e.Seq, e.At = r.run.ID, r.run.Seq+1, time.Now()
	if err := r.run.Apply(e); err != nil {
		r.defect = err
		return
	}
	r.mu.Lock()
	r.backlog = append(r.backlog, e)
	r.mu.Unlock()
	if r.over() {
		r.last = e
		return
	}
	r.show(e)
}

// over reports whether the run has its last entry. That is shown once it is
// known whether the journal has it: it is a verdict.
func (r *recorder) over() bool {
	return r.run.State == mishap.Refused || r.run.State == mishap.Completed
}

// record notes the entry and begins to write it, and everything before it.
func (r *recorder) record(e mishap.Entry) {
	r.note(e)
	r.write()
}

// write begins to write what was noted, unless that goes on already.
func (r *recorder) write() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
}

// begin is write for who has the lock.
func (r *recorder) begin() {
	if r.writing == nil && len(r.backlog) > 0 {
		r.writing, r.since = make(chan struct{}), time.Now()
		go r.writeAll()
	}
}

// writeAll writes until nothing is left, or a write fails.
func (r *recorder) writeAll() {
	for more := true; more; {
		r.mu.Lock()
		batch := r.backlog[:len(r.backlog):len(r.backlog)]
		r.since = time.Now()
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), writeWithin)
		err := r.journal.Append(ctx, batch...)
		cancel()
		r.mu.Lock()
		r.failed = nil
		if err != nil {
			r.failed = fmt.Errorf("write journal: %w", err)
		} else {
			r.backlog = r.backlog[len(batch):]
		}
		if more = err == nil && len(r.backlog) > 0; !more {
			close(r.writing)
			r.writing = nil
		}
		r.mu.Unlock()
	}
}

// trouble is why the journal does not have what was noted: the last write
// failed, or one takes too long. Nil while there is none.
func (r *recorder) trouble() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.defect != nil:
		return r.defect
	case r.failed != nil:
		return r.failed
	case r.writing != nil && time.Since(r.since) > writeWithin:
		return fmt.Errorf("write journal: the ledger has not answered for %s", mishap.Duration(writeWithin))
	}
	return nil
}

// durable waits until the journal has the entry with that number, at most as
// long as one write may take. It may be called by any goroutine.
func (r *recorder) durable(ctx context.Context, seq int64) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin+bounded.LastWords)
	defer cancel()
	for tried := false; ; {
		r.mu.Lock()
		there := len(r.backlog) == 0 || r.backlog[0].Seq > seq
		failed, over := r.failed, r.writing == nil
		if !there && over && !tried {
			tried = true
			r.begin()
			over = false
		}
		writing := r.writing
		r.mu.Unlock()
		switch {
		case there:
			return nil
		case over:
			return failed
		}
		select {
		case <-writing:
		case <-ctx.Done():
			return fmt.Errorf("write journal: the ledger does not answer: %w", ctx.Err())
		}
	}
}

// flush waits until everything is durable. It holds its caller up, so no fault
// may be in that is to leave.
func (r *recorder) flush(ctx context.Context) error {
	return r.durable(context.WithoutCancel(ctx), r.run.Seq)
}

// must records the entry and everything before it; it is durable if the error
// is nil. It waits, as flush does.
func (r *recorder) must(ctx context.Context, e mishap.Entry) error {
	r.note(e)
	return r.flush(ctx)
}

// prepare records an injection with its undo. Unless the target is taken, an
// error leaves open whether it was written: the answer may have been lost. Then
// the entry stays in the run, and is written with the next ones if it is not
// there, so that journal and run never differ.
func (r *recorder) prepare(ctx context.Context, in mishap.Injection) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	public := in
	public.Undo = nil
	e := mishap.Entry{
		Run: r.run.ID, Seq: r.run.Seq + 1, At: time.Now(),
		Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionPrepared, Injection: &public},
	}
	lost := r.journal.Prepare(ctx, e, in)
	if errors.Is(lost, mishap.ErrTaken) {
		return lost
	}
	if err := r.run.Apply(e); err != nil {
		return err
	}
	if lost != nil {
		r.mu.Lock()
		r.backlog = append(r.backlog, e)
		r.mu.Unlock()
	}
	r.show(e)
	return lost // it says what and where itself
}

// settle writes what is left at the end of a run, until the journal takes it.
// A run that is over for its server alone would keep its locks for ever. What it
// did not take, the run says.
func (r *recorder) settle(ctx context.Context, giveUp <-chan struct{}) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	err := r.flush(ctx)
	for giveUp != nil && err != nil && !errors.Is(err, ErrLost) {
		select {
		case <-giveUp:
			giveUp = nil
		case <-time.After(waits.NextBackOff()):
			err = r.flush(ctx)
		}
	}
	if err = errors.Join(r.defect, err); err != nil {
		r.run.Unwritten = err.Error()
	}
	if r.last.Seq != 0 {
		r.show(r.last)
	}
	return err
}
