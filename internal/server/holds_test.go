package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/source"
)

// remote is a source as a test wants it: what was in force before, and what a
// look answers; nil hangs until the look is given up.
type remote struct {
	was    *source.Tree
	answer func() (*source.Tree, error)
}

func (r *remote) Before(context.Context) *source.Tree { return r.was }
func (r *remote) Again()                              {}

func (r *remote) Read(ctx context.Context) (*source.Tree, error) {
	if r.answer == nil {
		<-ctx.Done()
		return nil, fmt.Errorf("%w: %w", source.ErrUnreached, ctx.Err())
	}
	return r.answer()
}

// restarted is a server that starts with sources that it knows from before, each
// with a revision in force.
func restarted(t *testing.T, all map[string]*remote, change ...func(*config.Source)) *bench {
	t.Helper()
	b := newBench(t)
	b.sources, b.looked, b.trees, b.known = nil, map[string]time.Time{}, map[string]*source.Tree{}, map[string]held{}
	b.refresh = map[string]chan struct{}{}
	for name, r := range all {
		src := config.Source{Name: name, Repository: "https://git.example/" + name, Poll: mishap.Duration(30 * time.Second)}
		for _, c := range change {
			c(&src)
		}
		b.sources = append(b.sources, src)
		if r.was == nil {
			continue
		}
		if _, err := b.book.Publish(t.Context(), ledger.Revision{Source: name, Commit: r.was.Commit, Digest: r.was.Digest, At: time.Now()}, must(b.book.Revision(t.Context(), name)).Seq); err != nil {
			t.Fatal(err)
		}
		if err := b.book.Looked(t.Context(), ledger.SourceState{Name: name, Server: "before", Looked: time.Now(), Reached: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	b.readers = func(src config.Source) (source.Reader, error) { return all[src.Name], nil }
	return b
}

// start follows the sources and dispatches for so long.
func (b *bench) start(d time.Duration) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	if _, err := b.followAll(ctx, &all); err != nil {
		b.t.Fatal(err)
	}
	b.dispatch(ctx)
	all.Wait()
}

func signedTree(of, commit string, list ...mishap.Experiment) *source.Tree {
	t := source.NewTree(of, list)
	t.Commit = commit
	return t
}

func gone() (*source.Tree, error) {
	return nil, fmt.Errorf("%w: no route to host", source.ErrUnreached)
}

func (b *bench) source(name string) ledger.SourceState {
	b.t.Helper()
	all, err := b.book.Sources(b.t.Context())
	i := slices.IndexFunc(all, func(s ledger.SourceState) bool { return s.Name == name })
	if err != nil || i < 0 {
		b.t.Fatalf("source %s: %v, %v", name, all, err)
	}
	return all[i]
}

func TestAWithdrawnExperimentDoesNotRunAtARestart(t *testing.T) {
	on(t, func(t *testing.T) {
		began := time.Now()
		r := &remote{was: signedTree("s", "c1", minutely("kept"), minutely("withdrawn"))}
		r.answer = func() (*source.Tree, error) {
			if time.Since(began) < 5*time.Minute {
				return gone()
			}
			return signedTree("s", "c2", minutely("kept")), nil
		}
		b := restarted(t, map[string]*remote{"s": r})
		b.start(4 * time.Minute)
		if got := b.source("s"); len(b.begun()) != 0 || !strings.Contains(got.Holds, "not been looked at since the server started") || !strings.Contains(got.Problem, "no route") {
			t.Errorf("before its source was reached %v ran; it is said to be %+v", order(b.begun()), got)
		}
		b.start(4 * time.Minute)
		if got := order(b.begun()); len(got) < 2 || slices.Contains(got, "withdrawn") || b.source("s").Holds != "" {
			t.Errorf("after it %v ran; it is said to be %+v", got, b.source("s"))
		}
	})
}

func TestOneDeadSourceStopsNoOther(t *testing.T) {
	for name, answer := range map[string]func() (*source.Tree, error){"hangs": nil, "fails": gone} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T) {
				good := signedTree("good", "g1", minutely("a"))
				b := restarted(t, map[string]*remote{
					"dead": {was: signedTree("dead", "d1", minutely("b")), answer: answer},
					"good": {was: good, answer: func() (*source.Tree, error) { return signedTree("good", "g1", minutely("a")), nil }},
				})
				b.start(3*time.Minute + time.Second)
				if got := fmt.Sprint(order(b.begun())); got != "[a a a]" {
					t.Errorf("ran: %s", got)
				}
				if got := b.source("dead").Holds; got == "" {
					t.Error("nobody is told that nothing of the dead one runs")
				}
			})
		})
	}
}

func TestWhatIsKnownOfASourceRunsForAsLongAsTheSettingsSay(t *testing.T) {
	on(t, func(t *testing.T) {
		b := restarted(t, map[string]*remote{"s": {was: signedTree("s", "c1", minutely("a")), answer: gone}},
			func(s *config.Source) { s.StaleFor = mishap.Duration(150 * time.Second) })
		b.start(2 * time.Minute)
		if got := b.source("s"); got.Holds != "" || !strings.Contains(got.Problem, "what was read at 2000-01-01 00:00:00 UTC runs until 2000-01-01 00:02:30 UTC (staleFor: 2m30s)") {
			t.Errorf("it is said to be %+v", got)
		}
		b.start(5 * time.Minute)
		if got := fmt.Sprint(order(b.begun())); got != "[a a]" {
			t.Errorf("ran: %s", got)
		}
		if got := b.source("s").Holds; !strings.Contains(got, "old (staleFor allows 2m30s)") {
			t.Errorf("it is said to hold: %q", got)
		}
	})
}

func TestABrokenCommitLeavesTheLastGoodOneInForceAtARestart(t *testing.T) {
	on(t, func(t *testing.T) {
		b := restarted(t, map[string]*remote{"s": {was: signedTree("s", "c1", minutely("a")), answer: func() (*source.Tree, error) { return nil, errors.New("a.yaml:1:1: no") }}})
		b.start(2*time.Minute + time.Second)
		if got := fmt.Sprint(order(b.begun())); got != "[a a]" {
			t.Errorf("ran: %s", got)
		}
	})
}

// A key that is taken out of the settings, and a program that is no longer
// allowed, count at once: also for what was read before, and what waits.
func TestWhatSettingsNoLongerAllowDoesNotBegin(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"a key":     func(b *bench) { b.sources[0].SignedBy = []string{"bob"} },
		"a program": func(b *bench) { b.settings.Server.Allow.Commands = nil },
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T) {
				waits := every5("a", func(e *mishap.Experiment) {
					e.SteadyState = []mishap.ProbeSpec{{Name: "p", Probe: "exec", With: []byte(`{"argv": ["sh"]}`)}}
				})
				in := signedTree("s", "c1", waits)
				in.Signed = func(keys []string) error {
					if !slices.Contains(keys, "ann") {
						return errors.New("commit c1 is signed by none of the listed keys")
					}
					return nil
				}
				b := restarted(t, map[string]*remote{"s": {answer: func() (*source.Tree, error) { read := *in; return &read, nil }}}, func(s *config.Source) { s.SignedBy = []string{"ann"} })
				b.settings.Server.Allow.Commands = []string{"sh"}
				b.rules().Limits.Runs = 1
				b.takes = time.Second
				b.start(6 * time.Minute) // it runs once
				other := mishap.Entry{Run: "other", Seq: 1, At: time.Now(), Planned: &mishap.Plan{Experiment: mishap.Experiment{Name: "other", Group: "other"}}}
				lease := must(b.book.Begin(t.Context(), ledger.Start{Server: "one", First: other}))
				time.AfterFunc(7*time.Minute, func() {
					_ = b.book.Append(context.Background(), lease, mishap.Entry{Run: "other", Seq: 2, At: time.Now(), State: &mishap.StateChange{To: mishap.Refused, Reason: "over"}})
				})
				b.start(6 * time.Minute) // its second run waits meanwhile
				change(b)
				b.start(2 * time.Minute)
				all, _ := b.book.Runs(t.Context(), 10)
				refused := 0
				for _, r := range all {
					if r.Cause == mishap.CausePolicy {
						refused++
					}
				}
				if got := fmt.Sprint(order(b.begun())); got != "[a]" || refused != 1 {
					t.Errorf("%s ran, %d were refused", got, refused)
				}
			})
		})
	}
}
