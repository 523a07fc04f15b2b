package app

import (
	"context"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/notify"
	"mishap/internal/source"
)

// reachedEvery is how often it is written when a source last answered.
const reachedEvery = time.Minute

// rememberSources reads from the ledger when each source last answered, and says
// there that none runs before it was looked at.
func (s *serving) rememberSources(ctx context.Context) error {
	all, err := s.book.Sources(ctx)
	if err != nil {
		return err
	}
	before := map[string]ledger.SourceState{}
	for _, one := range all {
		before[one.Name] = one
	}
	for _, src := range s.sources {
		was := before[src.Name]
		s.reached[src.Name] = was.Reached
		if was.Looked.IsZero() {
			was.Looked = time.Now()
		}
		state := ledger.SourceState{Name: src.Name, Server: s.Server(), Looked: was.Looked, Problem: was.Problem, Holds: s.holds(src, time.Now())}
		s.holding[src.Name] = state.Holds
		if err := s.book.Looked(ctx, state); err != nil {
			return err
		}
	}
	return nil
}

// holds says why none of a source's experiments may run here now; empty if they
// may. What was withdrawn while nobody served must not run, and only a look can
// tell.
func (s *serving) holds(src config.Source, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch age := now.Sub(s.reached[src.Name]); {
	case !s.looked[src.Name].IsZero() && s.trees[src.Name] == nil:
		return "nothing of it is in force on this server: " + firstLine(s.problems[src.Name])
	case !s.looked[src.Name].IsZero():
		return ""
	case s.reached[src.Name].IsZero():
		return "it has not been looked at since the server started"
	case src.StaleFor == 0 || age > src.StaleFor.Std():
		return fmt.Sprintf("it has not been looked at since the server started; what is known of it is %s old (staleFor allows %s)", mishap.Duration(age.Round(time.Second)), src.StaleFor)
	}
	return ""
}

// stale says that what runs of a source is not of a look since the start.
func (s *serving) stale(src config.Source) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.StaleFor == 0 || !s.looked[src.Name].IsZero() || s.trees[src.Name] == nil {
		return ""
	}
	at := s.reached[src.Name]
	return fmt.Sprintf("; what was read at %s runs until %s (staleFor: %s)", at.UTC().Format(time.RFC3339), at.Add(src.StaleFor.Std()).UTC().Format(time.RFC3339), src.StaleFor)
}

// sawSource remembers that a source answered.
func (s *serving) sawSource(name string, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answered {
		s.looked[name] = time.Now()
	}
}

// keepReached writes now and then that a source answered.
func (s *serving) keepReached(ctx context.Context, src config.Source) {
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.reached[src.Name]) >= reachedEvery
	s.mu.Unlock()
	if due {
		s.recordSource(ctx, src, "")
	}
}

// recordSource writes how a source stands.
func (s *serving) recordSource(ctx context.Context, src config.Source, problem string) {
	holds := s.holds(src, time.Now())
	s.mu.Lock()
	s.holding[src.Name] = holds
	reached := s.looked[src.Name]
	if !reached.IsZero() {
		s.reached[src.Name] = reached
	}
	s.mu.Unlock()
	if err := s.book.Looked(ctx, ledger.SourceState{Name: src.Name, Server: s.Server(), Looked: time.Now(), Reached: reached, Problem: problem, Holds: holds}); err != nil {
		s.log.Error("record source", "source", src.Name, "error", err)
	}
}

// sourceNamed is a source of this server.
func (s *serving) sourceNamed(name string) config.Source {
	for _, src := range s.sources {
		if src.Name == name {
			return src
		}
	}
	return config.Source{Name: name}
}

// forbids says why the settings, as they are now, do not allow an experiment;
// empty if they do. It is asked whenever a run begins, and never remembered.
func (s *serving) forbids(h held) string {
	if h.tree != nil && h.tree.Signed != nil {
		if err := h.tree.Signed(s.sourceNamed(h.source).SignedBy); err != nil {
			return err.Error()
		}
	}
	return s.Policy(s.sources).Forbidden(h.Experiment)
}

// stands says why an experiment that was looked up before must not begin now;
// nil if it may. It only computes.
func (s *serving) stands(h held) *mishap.Denial {
	now, ok := s.experiment(h.Name)
	if !ok || now.source != h.source || now.Source.Digest != h.Source.Digest {
		return &mishap.Denial{Cause: mishap.CausePolicy, Passing: ok, Reason: "its source has changed or withdrawn it since it was looked at"}
	}
	if why := s.holds(s.sourceNamed(h.source), time.Now()); why != "" {
		return &mishap.Denial{Cause: mishap.CausePolicy, Reason: "source " + h.source + ": " + why}
	}
	if why := s.forbids(h); why != "" {
		return &mishap.Denial{Cause: mishap.CausePolicy, Reason: why}
	}
	return nil
}

// currentSources are the sources that may run here: looked at, with the tree that
// all servers run.
func (s *serving) currentSources(ctx context.Context) (map[string]bool, error) {
	current := map[string]bool{}
	for _, src := range s.sources {
		r, err := s.book.Revision(ctx, src.Name)
		if err != nil {
			return nil, err
		}
		t := s.tree(src.Name)
		current[src.Name] = t != nil && t.Seq == r.Seq && s.holds(src, time.Now()) == ""
	}
	return current, nil
}

// tellSource records and tells that a source changed, or is broken or mended.
func (s *serving) tellSource(ctx context.Context, src config.Source, t *source.Tree, problem error, took time.Duration) {
	name, text := src.Name, ""
	if problem != nil {
		text = problem.Error() + s.stale(src)
	}
	holds := s.holds(src, time.Now())
	s.mu.Lock()
	was, held := s.problems[name], s.holding[name]
	s.problems[name] = text
	s.mu.Unlock()
	if text == was && holds == held && (t == nil || text != "") {
		return
	}
	changed := api.SourceEvent{Name: name, Problem: text}
	if problem == nil && t != nil {
		changed.Commit, changed.Digest = t.Commit, t.Digest
		s.log.Info("experiments in force", "source", name, "commit", orNone(t.Commit), "experiments", len(t.List), "revision", t.Seq, "took", took)
	} else if problem != nil {
		s.log.Error("experiments not in force; the last good ones stay", "source", name, "problem", text)
	}
	s.recordSource(ctx, src, text)
	s.hub.publish(event{Event: api.Event{At: time.Now(), Source: &changed}})
	switch {
	case text != "" && text != was:
		s.notify(notify.Message{Event: notify.TreeBroken, Reason: text, Text: fmt.Sprintf("Source %s is broken; the last good experiments stay in force: %s", name, firstLine(text))})
	case text == "" && was != "":
		s.notify(notify.Message{Event: notify.TreeMended, Commit: changed.Commit, Text: fmt.Sprintf("Source %s is in force again", name)})
	}
}
