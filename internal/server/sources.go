package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mishap/experiments"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/notify"
	"mishap/internal/source"
)

// reachedEvery is how often it is written when a source last answered.
const reachedEvery = time.Minute

// rememberSources reads from the ledger when each source last answered, and says
// there that none runs before it was looked at.
func (f *follower) rememberSources(ctx context.Context) error {
	all, err := f.book.Sources(ctx)
	if err != nil {
		return err
	}
	before := map[string]ledger.SourceState{}
	for _, one := range all {
		before[one.Name] = one
	}
	for _, src := range f.desired.sources {
		was := before[src.Name]
		f.desired.remember(src.Name, was.Reached)
		if was.Looked.IsZero() {
			was.Looked = time.Now()
		}
		holds, _ := f.desired.standing(src)
		state := ledger.SourceState{Name: src.Name, Server: f.member.Server(), Looked: was.Looked, Problem: was.Problem, Holds: holds}
		if err := f.book.Looked(ctx, state); err != nil {
			return err
		}
	}
	return nil
}

// keepReached writes now and then that a source answered.
func (f *follower) keepReached(ctx context.Context, src config.Source) {
	if f.desired.sinceReached(src.Name) >= reachedEvery {
		f.recordSource(ctx, src, "")
	}
}

// recordSource writes how a source stands.
func (f *follower) recordSource(ctx context.Context, src config.Source, problem string) {
	holds, reached := f.desired.standing(src)
	if err := f.book.Looked(ctx, ledger.SourceState{Name: src.Name, Server: f.member.Server(), Looked: time.Now(), Reached: reached, Problem: problem, Holds: holds}); err != nil {
		f.log.Error("record source", "source", src.Name, "error", err)
	}
}

// tellSource records and tells that a source changed, or is broken or mended.
func (f *follower) tellSource(ctx context.Context, src config.Source, t *source.Tree, problem error, took time.Duration) {
	name, text := src.Name, ""
	if problem != nil {
		text = problem.Error() + f.desired.stale(src)
	}
	holds := f.desired.holds(src, time.Now())
	was, held := f.desired.setProblem(name, text)
	if text == was && holds == held && (t == nil || text != "") {
		return
	}
	changed := api.SourceEvent{Name: name, Problem: text}
	if problem == nil && t != nil {
		changed.Commit, changed.Digest = t.Commit, t.Digest
		f.log.Info("experiments in force", "source", name, "commit", orNone(t.Commit), "experiments", len(t.List), "revision", t.Seq, "took", took)
	} else if problem != nil {
		f.log.Error("experiments not in force; the last good ones stay", "source", name, "problem", text)
	}
	f.recordSource(ctx, src, text)
	f.events.hub.publish(event{Event: api.Event{At: time.Now(), Source: &changed}})
	switch {
	case text != "" && text != was:
		f.notify(notify.Message{Event: notify.TreeBroken, Reason: text, Text: fmt.Sprintf("Source %s is broken; the last good experiments stay in force: %s", name, firstLine(text))})
	case text == "" && was != "":
		f.notify(notify.Message{Event: notify.TreeMended, Commit: changed.Commit, Text: fmt.Sprintf("Source %s is in force again", name)})
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

// readerOf makes what reads a source.
func (f *follower) readerOf(src config.Source) (source.Reader, error) {
	about := f.catalog.LoadOptions(catalog.Given{Environment: src.Environment}, false)
	about.AllowEmpty = true
	about.Cache = &experiments.Cache{}
	reading := source.Reading{Source: src, About: about, Dir: source.Dir(f.settings.State, src.Name), Secret: catalog.Secret}
	if src.Folder == "" {
		before, err := f.book.Revision(f.life, src.Name)
		if err != nil {
			return nil, err
		}
		reading.Before = before.Commit
	}
	return source.NewReader(reading)
}
