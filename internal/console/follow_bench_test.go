package console_test

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/httpapi/apitest"
	"mishap/internal/ledger"
	"mishap/internal/report/reporttest"
)

// BenchmarkConsolesThatFollow is how late a loop is that looks every 10 ms, as a run does,
// while so many people follow 50 runs, of which each has four entries a second.
func BenchmarkConsolesThatFollow(b *testing.B) {
	for _, people := range []int{0, 200} {
		b.Run(fmt.Sprint(people), func(b *testing.B) { follow(b, people) })
	}
}

func follow(b *testing.B, people int) {
	w := newWorldOn(b, ledger.NewMemory())
	const runs = 50
	for i := range people {
		w.settings.Live().Tokens = append(w.settings.Live().Tokens, config.Token{Name: fmt.Sprint("p", i), Role: "operator", Hash: apitest.HashOf(fmt.Sprint("token-", i))})
	}
	held := until(reporttest.JudgedRuns()["held"].Journal(&testing.T{}), mishap.Holding, 60)
	for i := range runs {
		w.declare(func(e *mishap.Experiment) { e.Name = fmt.Sprintf("e%d", i) })
		w.ran(fmt.Sprintf("g%04d", i), held, fmt.Sprintf("e%d", i), time.Second)
	}
	over := make(chan struct{})
	var all sync.WaitGroup
	var pages atomic.Int64
	for i := range people {
		p := w.signedIn(fmt.Sprint("token-", i))
		p.Timeout = 0
		all.Go(func() {
			r, err := p.Get(w.url + "/live")
			if err != nil {
				b.Error(err)
				return
			}
			go func() { <-over; r.Body.Close() }()
			for lines := bufio.NewScanner(r.Body); lines.Scan(); {
				page, err := http.NewRequest(http.MethodGet, w.url+"/", nil)
				if err != nil || lines.Text() == "" {
					continue
				}
				page.Header.Set("X-Requested-With", "live")
				if got, err := p.Do(page); err == nil {
					got.Body.Close()
					pages.Add(1)
				}
			}
		})
	}
	var late []time.Duration
	tick := time.NewTicker(lookEvery)
	next := time.Now()
	for b.Loop() {
		<-tick.C
		late = append(late, max(0, time.Since(next.Add(lookEvery))))
		next = time.Now()
		for range runs * 4 / int(time.Second/lookEvery) {
			w.happens()
		}
	}
	tick.Stop()
	close(over)
	w.server.CloseClientConnections()
	all.Wait()
	slices.Sort(late)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(late[len(late)*99/100]), "ms-late-p99")
	b.ReportMetric(ms(late[len(late)-1]), "ms-late-most")
	b.ReportMetric(float64(pages.Load()), "pages")
}

const lookEvery = 10 * time.Millisecond
