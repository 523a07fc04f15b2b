package console_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/report/reporttest"
)

// BenchmarkFirstPaintOfNow is how long a browser takes from asking for Now until it
// shows something of it, and until all is there, with 50 runs that go on in SQLite:
// with nothing in its cache, and as it is left. What an empty page takes is what is of
// the browser and the machine.
func BenchmarkFirstPaintOfNow(b *testing.B) {
	book, err := ledger.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = book.Close() })
	w := newWorldOn(b, book)
	held := until(reporttest.JudgedRuns()["held"].Journal(&testing.T{}), mishap.Holding, 60)
	for i := range 50 {
		name := fmt.Sprintf("experiment-%02d", i)
		w.declare(func(e *mishap.Experiment) { e.Name = name })
		w.ran(fmt.Sprintf("g%04d", i), held, name, time.Second)
	}
	for name, of := range map[string]struct {
		path, ready string
		cached      bool
	}{"Now-cold": {"/", "#run-g0049", false}, "Now-warm": {"/", "#run-g0049", true}, "empty-warm": {"/nothing", "footer", true}} {
		b.Run(name, func(b *testing.B) {
			look := openBrowser(b)
			look.signIn(w, "operator")
			look.as(1280, "light", true)
			look.run(chromedp.ActionFunc(func(ctx context.Context) error { return network.SetCacheDisabled(!of.cached).Do(ctx) }), performance.Enable().WithTimeDomain(performance.EnableTimeDomainThreadTicks))
			took := map[string][]float64{}
			for n := 0; b.Loop(); n++ {
				look.run(chromedp.Navigate(fmt.Sprintf("%s%s?n=%d", w.url, of.path, n)), chromedp.WaitReady(of.ready, chromedp.ByQuery))
				b.StopTimer()
				for name, script := range map[string]string{
					"ms-first-byte":  `performance.getEntriesByType('navigation')[0].responseStart`,
					"ms-first-paint": `performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1`,
					"ms-loaded":      `performance.getEntriesByType('navigation')[0].loadEventEnd`,
				} {
					look.until(script + ` > 0`)
					ms, err := strconv.ParseFloat(look.ask(`String(`+script+`)`), 64)
					if err != nil {
						b.Fatal(err)
					}
					took[name] = append(took[name], ms)
				}
				took["ms-cpu-of-page"] = append(took["ms-cpu-of-page"], look.cpu())
				time.Sleep(time.Second) // so that what goes on is asked for anew
				b.StartTimer()
			}
			for name, all := range took {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2], name)
			}
			b.ReportMetric(took["ms-first-paint"][0], "ms-first-paint-least")
		})
	}
}

// cpu is how many milliseconds of a processor the browser's thread of pages took so far:
// in what it takes others of a busy machine have no part.
func (b *browser) cpu() (ms float64) {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		all, err := performance.GetMetrics().Do(ctx)
		for _, m := range all {
			if m.Name == "TaskDuration" {
				ms = m.Value * 1000
			}
		}
		return err
	}))
	return ms
}
