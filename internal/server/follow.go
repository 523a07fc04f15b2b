package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/scheduler"
	"mishap/internal/source"
)

// restAfter is how many times as long as a look took a source is left alone at
// least: looking at ten thousand files must not keep a core busy.
const restAfter = 150

// readyWithin is how long a server that starts waits for its sources before it
// says that it is ready.
const readyWithin = 10 * time.Second

// follower looks at sources again and again, and puts in force what is new.
type follower struct {
	*shared
	desired *desired
	events  *events
	readers func(config.Source) (source.Reader, error) // readerOf, except in tests
	refresh map[string]chan struct{}                   // by source: look now
}

func newFollower(s *shared, d *desired, ev *events) *follower {
	f := &follower{shared: s, desired: d, events: ev, refresh: map[string]chan struct{}{}}
	f.readers = f.readerOf
	for _, src := range d.sources {
		f.refresh[src.Name] = make(chan struct{}, 1)
	}
	return f
}

// followAll follows every source on its own, so that none holds up another. The
// channel is closed when each was looked at once, or could not be.
func (f *follower) followAll(ctx context.Context, all *sync.WaitGroup) (<-chan struct{}, error) {
	readers := make([]source.Reader, len(f.desired.sources))
	for i, src := range f.desired.sources {
		var err error
		if readers[i], err = f.readers(src); err != nil {
			return nil, err
		}
	}
	if err := f.rememberSources(ctx); err != nil {
		return nil, err
	}
	var first sync.WaitGroup
	first.Add(len(readers))
	for i, r := range readers {
		all.Go(func() { f.follow(ctx, f.desired.sources[i], r, first.Done) })
	}
	over := make(chan struct{})
	go func() { first.Wait(); close(over) }()
	return over, nil
}

// follow looks at a source again and again, at once at first.
func (f *follower) follow(ctx context.Context, src config.Source, r source.Reader, first func()) {
	const longest = 30 * time.Second // that the size of a folder keeps it from being looked at
	f.restore(ctx, src, r)
	began := time.Now()
	changed := f.look(ctx, src, r)
	first()
	for {
		took := time.Since(began)
		if changed || src.Folder == "" {
			took = 0 // reading what is new is worth it, and waiting for a network costs nothing
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(src.Poll.Std(), min(took*restAfter, longest))):
		case <-f.refresh[src.Name]:
		}
		began = time.Now()
		changed = f.look(ctx, src, r)
	}
}

// restore makes known what was in force when the server started, if it still is.
// None of it runs before the source has been looked at; see [desired.holds].
func (f *follower) restore(ctx context.Context, src config.Source, r source.Reader) {
	t := r.Before(ctx)
	if t == nil {
		return
	}
	before, err := f.book.Revision(ctx, src.Name)
	if err == nil && before.Commit == t.Commit && before.Digest == t.Digest {
		_, err = f.adopt(ctx, *t, before)
	}
	if err != nil && ctx.Err() == nil {
		f.log.Warn("read what was in force", "source", src.Name, "error", err)
	}
}

// look reads a source once and puts in force what is new. What is wrong with it
// changes nothing: the last good tree stays in force. It answers whether anything
// was new.
func (f *follower) look(ctx context.Context, src config.Source, r source.Reader) bool {
	began := time.Now()
	before, err := f.book.Revision(ctx, src.Name)
	var found *source.Tree
	if err == nil {
		found, err = r.Read(ctx)
		f.desired.sawSource(src.Name, !errors.Is(err, source.ErrUnreached) && ctx.Err() == nil)
	}
	if err == nil && found != nil {
		if found, err = f.adopt(ctx, *found, before); err != nil {
			r.Again()
		}
	}
	switch {
	case errors.Is(err, ledger.ErrOutdated), ctx.Err() != nil:
		return true // the next look knows better
	case err == nil && found == nil:
		if f.desired.problemOf(src.Name) == "" {
			f.keepReached(ctx, src)
			return false
		}
		found = f.desired.tree(src.Name) // it was out of reach, and is as it was before
	}
	f.tellSource(ctx, src, found, err, time.Since(began))
	return true
}

// adopt puts a tree in force: its revision, its schedules, its experiments. It
// answers what is in force then, which nobody changes any more.
func (f *follower) adopt(ctx context.Context, t source.Tree, before ledger.Revision) (*source.Tree, error) {
	known := map[string]held{}
	now := time.Now()
	var schedules []ledger.Schedule
	for _, e := range t.List {
		if other := f.desired.elsewhere(e.Name, t.Source); other != "" {
			return nil, fmt.Errorf("read source %s: experiment %s (%s) is also in source %s; give it a name of its own", t.Source, e.Name, e.Source.File, other)
		}
		h := held{Experiment: e, source: t.Source, tree: &t}
		if e.Schedule != nil {
			one, err := f.schedule(&h, now)
			if err != nil {
				return nil, err
			}
			if one != nil {
				schedules = append(schedules, *one)
			}
		}
		known[e.Name] = h
	}
	t.Seq = before.Seq
	if before.Commit != t.Commit || before.Digest != t.Digest {
		r, err := f.book.Publish(ctx, ledger.Revision{Source: t.Source, Commit: t.Commit, Digest: t.Digest, At: now}, before.Seq)
		if err != nil {
			return nil, err
		}
		t.Seq = r.Seq
	}
	if err := f.book.SetSchedules(ctx, t.Source, schedules); err != nil {
		return nil, err
	}
	f.desired.put(&t, known)
	f.nudge()
	return &t, nil
}

// schedule is the ledger's row of an experiment: its next time from now.
func (f *follower) schedule(h *held, now time.Time) (*ledger.Schedule, error) {
	table, err := scheduler.New(h.Name, *h.Schedule)
	if err != nil {
		return nil, err
	}
	h.table = table
	next, ok := table.Next(now)
	if !ok {
		return nil, nil
	}
	digest, err := spec(h.Experiment)
	if err != nil {
		return nil, err
	}
	return &ledger.Schedule{Experiment: h.Name, Source: h.source, Spec: digest, Tick: next, Advanced: now}, nil
}

// forgetSources ends the schedules of sources that this server is not given and
// that no living one looked at last.
func (f *follower) forgetSources(ctx context.Context) error {
	all, err := f.book.Sources(ctx)
	if err != nil {
		return err
	}
	for _, src := range all {
		alive, err := f.book.Alive(ctx, src.Server)
		if err != nil {
			return err
		}
		if _, mine := f.refresh[src.Name]; mine || alive {
			continue
		}
		f.log.Warn("a source is no longer served: its schedules end", "source", src.Name)
		if err := f.book.ForgetSource(ctx, src.Name); err != nil {
			return err
		}
	}
	return nil
}

// spec identifies a schedule: another one begins anew.
func spec(e mishap.Experiment) (string, error) {
	text, err := json.Marshal(e.Schedule)
	if err != nil {
		return "", fmt.Errorf("write schedule of %s: %w", e.Name, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// refreshNow lets a source be looked at now; false if there is no such one.
func (f *follower) refreshNow(name string) bool {
	ch, ok := f.refresh[name]
	if ok {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	return ok
}

// refreshAll lets every source be looked at now, and names them.
func (f *follower) refreshAll() (names []string) {
	for _, src := range f.desired.sources {
		f.refreshNow(src.Name)
		names = append(names, src.Name)
	}
	return names
}
