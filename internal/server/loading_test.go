package server

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/httpapi/apitest"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/source"
)

// gate is where a loader is held, until what asks the API meanwhile was answered.
type gate struct {
	at            string
	reached, free chan struct{}
}

func (g *gate) pass(name string) {
	if name == g.at {
		close(g.reached)
		<-g.free
	}
}

// gatedBook holds a loader before its writes.
type gatedBook struct {
	ledger.Ledger
	*gate
}

func (b gatedBook) Publish(ctx context.Context, r ledger.Revision, after int64) (ledger.Revision, error) {
	b.pass("publishing")
	return b.Ledger.Publish(ctx, r, after)
}

func (b gatedBook) SetSchedules(ctx context.Context, source string, all []ledger.Schedule) error {
	b.pass("scheduling")
	return b.Ledger.SetSchedules(ctx, source, all)
}

func (b gatedBook) Looked(ctx context.Context, s ledger.SourceState) error {
	b.pass("telling")
	return b.Ledger.Looked(ctx, s)
}

// However long it takes to read a tree and to put it in force, nobody who asks the
// API waits for that: neither for a lock nor for the ledger.
func TestTheAPIAnswersWhileATreeIsLoaded(t *testing.T) {
	for _, at := range []string{"reading", "publishing", "scheduling", "telling"} {
		t.Run(at, func(t *testing.T) {
			file, err := ledger.Open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			g := &gate{reached: make(chan struct{}), free: make(chan struct{})}
			b := newBenchOn(t, member.Options{Book: gatedBook{file, g}}, minutely("a"))
			g.at = at
			r := &scripted{answers: []func() (*source.Tree, error){func() (*source.Tree, error) {
				g.pass("reading")
				return source.NewTree("s", []mishap.Experiment{minutely("a"), minutely("b")}), nil
			}}}
			loaded := make(chan bool, 1)
			go func() { loaded <- b.look(t.Context(), config.Source{Name: "s"}, r) }()
			<-g.reached
			h := b.api().OwnHandler()
			for path, want := range map[string]int{
				"GET /v1/experiments": 200, "GET /v1/experiments/a": 200, "GET /v1/schedules": 200, "GET /v1/queue": 200, "GET /v1/runs": 200, "GET /v1/halt": 200,
				"GET /v1/locks": 200, "GET /v1/approvals": 200, "GET /v1/sources": 200, "GET /v1/audit": 200, "GET /metrics": 200, "GET /healthz": 200,
				"POST /v1/sources/s/refresh": 200,
			} {
				method, path, _ := strings.Cut(path, " ")
				if status, text := apitest.Call(h, method, path, ""); status != want {
					t.Errorf("%s %s: %d, want %d: %s", method, path, status, want, text)
				}
			}
			if len(loaded) > 0 {
				t.Error("the loader was not held")
			}
			close(g.free)
			<-loaded
			if status, text := apitest.Call(h, http.MethodGet, "/v1/experiments/b", ""); status != 200 {
				t.Errorf("what was loaded is not in force: %d, %s", status, text)
			}
		})
	}
}
