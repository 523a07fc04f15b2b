package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
)

// recorder numbers a run's entries, applies them to the run, and writes them to
// the journal. What it could not write it keeps, in order, and writes with the
// next entries: reverting needs no ledger.
type recorder struct {
	journal Journal
	seen    func(mishap.Entry, *mishap.Run)
	run     *mishap.Run
	backlog []mishap.Entry
	err     error // the last failure to write; nil when all is written
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

// apply numbers the entry and folds it into the run.
func (r *recorder) apply(e mishap.Entry) (mishap.Entry, error) {
	e.Run, e.Seq, e.At = r.run.ID, r.run.Seq+1, time.Now()
	if err := r.run.Apply(e); err != nil {
		return e, err
	}
	return e, nil
}

func (r *recorder) show(e mishap.Entry) {
	if r.seen != nil {
		r.seen(e, r.run)
	}
}

// note records the entry without waiting for the disk: it is written with the
// next one that must be, or by flush.
func (r *recorder) note(e mishap.Entry) {
	e, err := r.apply(e)
	if err != nil {
		r.err = err
		return
	}
	r.backlog = append(r.backlog, e)
	r.show(e)
}

// must records the entry and everything before it; it is durable if the error
// is nil.
func (r *recorder) must(ctx context.Context, e mishap.Entry) error {
	r.note(e)
	return r.flush(ctx)
}

// try records the entry if the ledger takes it, and keeps it otherwise.
func (r *recorder) try(ctx context.Context, e mishap.Entry) { _ = r.must(ctx, e) }

// flush writes the backlog.
func (r *recorder) flush(ctx context.Context) error {
	if len(r.backlog) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.journal.Append(ctx, r.backlog...); err != nil {
		r.err = fmt.Errorf("write journal: %w", err)
		return r.err
	}
	r.backlog, r.err = nil, nil
	return nil
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
		r.backlog = append(r.backlog, e)
	}
	r.show(e)
	return lost // it says what and where itself
}

// settle writes what is left at the end of a run, until the journal takes it.
// A run that is over for its server alone would keep its locks for ever.
func (r *recorder) settle(ctx context.Context, giveUp <-chan struct{}) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for giveUp != nil && r.failure() != nil && !errors.Is(r.err, ErrLost) {
		select {
		case <-giveUp:
			return r.failure()
		case <-time.After(waits.NextBackOff()):
			_ = r.flush(ctx)
		}
	}
	return r.failure()
}

// failure is what was not written at the end of the run.
func (r *recorder) failure() error {
	if len(r.backlog) > 0 || r.err != nil {
		return r.err
	}
	return nil
}
