package console_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/report/reporttest"
)

// BenchmarkPages is what the server takes for a page of a fleet: 5,000 experiments of
// which 100,000 runs are known, and 50 runs that go on.
func BenchmarkPages(b *testing.B) {
	t := &testing.T{} // what makes stories asks for one
	book, err := ledger.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = book.Close() })
	w := newWorldOn(b, book)
	const experiments, runs, going = 5000, 100_000, 50
	for i := range experiments {
		w.declare(func(e *mishap.Experiment) { e.Name = fmt.Sprintf("experiment-%04d", i) })
	}
	fill(b, book, w.InForce(), runs)
	held := until(reporttest.JudgedRuns()["held"].Journal(t), mishap.Holding, 60)
	for i := range going {
		w.ran(fmt.Sprintf("g%04d", i), held, fmt.Sprintf("experiment-%04d", i), time.Second)
	}
	p := w.signedIn("admin")
	week := time.Now().UTC().Format(time.DateOnly)
	for _, path := range []string{"/", "/experiments", "/experiments?find=49", "/experiments?after=experiment-4000", "/experiments/experiment-0001", "/runs", "/runs/g0001", "/calendar?from=" + week, "/coverage", "/proxies", "/audit", "/halt"} {
		b.Run(path, func(b *testing.B) {
			join, n := "?", 0
			if strings.Contains(path, "?") {
				join = "&"
			}
			for b.Loop() {
				n++ // so that it is made anew each time
				if status, _, _ := p.get(fmt.Sprintf("%s%sn=%d", path, join, n)); status != http.StatusOK && status != http.StatusTooManyRequests {
					b.Fatal(status)
				}
				b.StopTimer()
				time.Sleep(25 * time.Millisecond) // who asks more than 50 times a second is slowed down
				b.StartTimer()
			}
		})
	}
}

// fill puts runs that were refused into a ledger, in turn of each experiment.
func fill(b *testing.B, book ledger.Ledger, of []mishap.Experiment, runs int) {
	b.Helper()
	const batch = 1000
	for done := 0; done < runs; done += batch {
		var all []ledger.Refusal
		for i := done; i < done+batch; i++ {
			plan := mishap.Plan{Experiment: of[i%len(of)]}
			id, at := fmt.Sprintf("r%06d", i), time.Now().Add(-time.Duration(runs-i)*time.Minute)
			all = append(all, ledger.Refusal{
				First: mishap.Entry{Run: id, Seq: 1, At: at, Planned: &plan},
				Why:   mishap.Entry{Run: id, Seq: 2, At: at, State: &mishap.StateChange{To: mishap.Refused, Cause: mishap.CauseSafeguard, Reason: "outside of its window"}},
			})
		}
		if err := book.Refuse(context.Background(), "test", all); err != nil {
			b.Fatal(err)
		}
	}
}
