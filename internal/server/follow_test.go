package server

import (
	"context"
	"errors"
	"testing"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/source"
)

// scripted is a reader that answers what a test tells it to.
type scripted struct {
	answers []func() (*source.Tree, error)
	asked   bool // to answer again
}

func (r *scripted) Read(context.Context) (*source.Tree, error) {
	next := r.answers[0]
	r.answers = r.answers[1:]
	return next()
}

func (r *scripted) Again() { r.asked = true }

func (r *scripted) Before(context.Context) *source.Tree { return nil }

func TestASourceIsBrokenAsLongAsItIsAndMendedWhenItIsNot(t *testing.T) {
	b := newBench(t)
	src := config.Source{Name: "x"}
	good := func() (*source.Tree, error) { return source.NewTree("x", []mishap.Experiment{minutely("a")}), nil }
	same := func() (*source.Tree, error) { return nil, nil }
	gone := func() (*source.Tree, error) { return nil, errors.New("out of reach") }
	r := &scripted{answers: []func() (*source.Tree, error){good, same, gone, gone, same, same}}
	for i, want := range []string{"", "", "out of reach", "out of reach", "", ""} {
		b.look(t.Context(), src, r)
		all, err := b.book.Sources(t.Context())
		if err != nil || len(all) != 1 || all[0].Problem != want || all[0].Revision.Seq == 0 {
			t.Errorf("after look %d: %+v, %v; want problem %q", i+1, all, err, want)
		}
	}
	if _, ok := b.experiment("a"); !ok {
		t.Error("the last good tree is not in force")
	}
}

func TestWhatCouldNotBePutInForceIsReadAgain(t *testing.T) {
	b := newBench(t, minutely("a"))
	r := &scripted{answers: []func() (*source.Tree, error){func() (*source.Tree, error) { return source.NewTree("x", []mishap.Experiment{minutely("a")}), nil }}}
	b.look(t.Context(), config.Source{Name: "x"}, r)
	if !r.asked {
		t.Error("two sources with one name are read once")
	}
	if got := b.problemOf("x"); got == "" {
		t.Error("two sources with one name are no problem")
	}
}

func TestSchedulesOfASourceThatIsNotServedEnd(t *testing.T) {
	b := newBench(t, minutely("a"))
	for _, name := range []string{"old", "theirs"} {
		server := "dead"
		if name == "theirs" {
			server, _, _ = b.book.Join(t.Context(), nil)
		}
		if err := b.book.Looked(t.Context(), ledger.SourceState{Name: name, Server: server}); err != nil {
			t.Fatal(err)
		}
		if err := b.book.SetSchedules(t.Context(), name, []ledger.Schedule{{Experiment: name, Spec: "1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.forgetSources(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, _ := b.book.Schedules(t.Context())
	var names []string
	for _, s := range all {
		names = append(names, s.Experiment)
	}
	if len(names) != 2 || names[0] != "a" || names[1] != "theirs" {
		t.Errorf("left: %v", names)
	}
}
