package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// followAll follows every source on its own, so that none holds up another. The
// channel is closed when each was looked at once, or could not be.
func (s *serving) followAll(ctx context.Context, all *sync.WaitGroup) (<-chan struct{}, error) {
	readers := make([]source.Reader, len(s.sources))
	for i, src := range s.sources {
		var err error
		if readers[i], err = s.readers(src); err != nil {
			return nil, err
		}
	}
	if err := s.rememberSources(ctx); err != nil {
		return nil, err
	}
	var first sync.WaitGroup
	first.Add(len(readers))
	for i, r := range readers {
		all.Go(func() { s.follow(ctx, s.sources[i], r, first.Done) })
	}
	over := make(chan struct{})
	go func() { first.Wait(); close(over) }()
	return over, nil
}

// follow looks at a source again and again, at once at first.
func (s *serving) follow(ctx context.Context, src config.Source, r source.Reader, first func()) {
	const longest = 30 * time.Second // that the size of a folder keeps it from being looked at
	s.restore(ctx, src, r)
	began := time.Now()
	changed := s.look(ctx, src, r)
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
		case <-s.refresh[src.Name]:
		}
		began = time.Now()
		changed = s.look(ctx, src, r)
	}
}

// restore makes known what was in force when the server started, if it still is.
// None of it runs before the source has been looked at; see [serving.holds].
func (s *serving) restore(ctx context.Context, src config.Source, r source.Reader) {
	t := r.Before(ctx)
	if t == nil {
		return
	}
	before, err := s.book.Revision(ctx, src.Name)
	if err == nil && before.Commit == t.Commit && before.Digest == t.Digest {
		err = s.adopt(ctx, t, before)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("read what was in force", "source", src.Name, "error", err)
	}
}

// look reads a source once and puts in force what is new. What is wrong with it
// changes nothing: the last good tree stays in force. It answers whether anything
// was new.
func (s *serving) look(ctx context.Context, src config.Source, r source.Reader) bool {
	began := time.Now()
	before, err := s.book.Revision(ctx, src.Name)
	var found *source.Tree
	if err == nil {
		found, err = r.Read(ctx)
		s.sawSource(src.Name, !errors.Is(err, source.ErrUnreached) && ctx.Err() == nil)
	}
	if err == nil && found != nil {
		if err = s.adopt(ctx, found, before); err != nil {
			r.Again()
		}
	}
	switch {
	case errors.Is(err, ledger.ErrOutdated), ctx.Err() != nil:
		return true // the next look knows better
	case err == nil && found == nil:
		if s.problemOf(src.Name) == "" {
			s.keepReached(ctx, src)
			return false
		}
		found = s.tree(src.Name) // it was out of reach, and is as it was before
	}
	s.tellSource(ctx, src, found, err, time.Since(began))
	return true
}

// adopt puts a tree in force: its revision, its schedules, its experiments.
func (s *serving) adopt(ctx context.Context, t *source.Tree, before ledger.Revision) error {
	known := map[string]held{}
	now := time.Now()
	var schedules []ledger.Schedule
	for _, e := range t.List {
		if other := s.elsewhere(e.Name, t.Source); other != "" {
			return fmt.Errorf("read source %s: experiment %s (%s) is also in source %s; give it a name of its own", t.Source, e.Name, e.Source.File, other)
		}
		h := held{Experiment: e, source: t.Source, tree: t}
		if e.Schedule != nil {
			one, err := s.schedule(&h, now)
			if err != nil {
				return err
			}
			if one != nil {
				schedules = append(schedules, *one)
			}
		}
		known[e.Name] = h
	}
	t.Seq = before.Seq
	if before.Commit != t.Commit || before.Digest != t.Digest {
		r, err := s.book.Publish(ctx, ledger.Revision{Source: t.Source, Commit: t.Commit, Digest: t.Digest, At: now}, before.Seq)
		if err != nil {
			return err
		}
		t.Seq = r.Seq
	}
	if err := s.book.SetSchedules(ctx, t.Source, schedules); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, h := range s.known {
		if h.source == t.Source {
			delete(s.known, name)
		}
	}
	for name, h := range known {
		s.known[name] = h
	}
	s.trees[t.Source] = t
	s.nudge()
	return nil
}

// schedule is the ledger's row of an experiment: its next time from now.
func (s *serving) schedule(h *held, now time.Time) (*ledger.Schedule, error) {
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
func (s *serving) forgetSources(ctx context.Context) error {
	all, err := s.book.Sources(ctx)
	if err != nil {
		return err
	}
	for _, src := range all {
		alive, err := s.book.Alive(ctx, src.Server)
		if err != nil {
			return err
		}
		if _, mine := s.refresh[src.Name]; mine || alive {
			continue
		}
		s.log.Warn("a source is no longer served: its schedules end", "source", src.Name)
		if err := s.book.ForgetSource(ctx, src.Name); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere is another source that has an experiment of that name.
func (s *serving) elsewhere(name, source string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.known[name]; ok && h.source != source {
		return h.source
	}
	return ""
}

func (s *serving) problemOf(source string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problems[source]
}

func (s *serving) tree(source string) *source.Tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trees[source]
}

// nudge lets the dispatcher look now.
func (s *serving) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func orNone(commit string) string {
	if commit == "" {
		return "none: not from git"
	}
	return commit
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// inForce lists the experiments in force by name.
func (s *serving) inForce() []held {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]held, 0, len(s.known))
	for _, h := range s.known {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b held) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// experiment is the one of that name, if it is in force.
func (s *serving) experiment(name string) (held, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.known[name]
	return h, ok
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
