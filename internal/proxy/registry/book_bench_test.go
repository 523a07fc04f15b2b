package registry_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// BenchmarkArmsBook is what the book of arms costs a request of an arm, from its coming to its end, on all cores at once.
func BenchmarkArmsBook(b *testing.B) {
	for name, a := range map[string]fault.Arms{"buckets": {}, "and units": counting(latencies), "and who met the fault": counting(latencies, exposed)} {
		b.Run(name, func(b *testing.B) {
			a.Key = "cookie:session"
			book := registry.NewBook(a, time.Now())
			b.ReportAllocs()
			met := new(meetings)
			if exposed := a.Counts != nil && a.Counts.Exposed; exposed {
				defer met.tell(book)()
			}
			b.RunParallel(func(p *testing.PB) {
				x := answer(200, 3*ms)
				for a := new(forward.Assignment); p.Next(); {
					*a = forward.Assignment{Arm: forward.Arm(1 + rand.Uint64()%2), Unit: rand.Uint64() % 10_000, At: time.Now()}
					book.Begin(a)
					if a.Unit%10 == 0 {
						met.add(book.ID(a))
					}
					book.Answered(a, x)
					book.End(a, x)
				}
			})
		})
	}
}

func (m *meetings) add(id string) {
	if id != "" {
		m.mu.Lock()
		m.ids = append(m.ids, id)
		m.mu.Unlock()
	}
}

// tell tells a book of them five times a second, until it is stopped.
func (m *meetings) tell(book registry.Book) (stop func()) {
	over, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		tick := time.NewTicker(width)
		defer tick.Stop()
		for through := uint64(0); ; {
			select {
			case <-over:
				return
			case now := <-tick.C:
				m.mu.Lock()
				ids := m.ids
				m.ids = nil
				m.mu.Unlock()
				through = book.Meet(through, now, ids...).Over
			}
		}
	}()
	return func() { close(over); <-ended }
}

// latencies are the rows of a usual comparison: failures, and four quantiles.
func latencies(c *fault.Counts) {
	c.Rows = []fault.CountRow{{Name: "success-rate", Of: fault.OfFailures}}
	for _, q := range []string{"p50", "p90", "p99", "p99.9"} {
		c.Rows = append(c.Rows, fault.CountRow{Name: q, Of: fault.OfSlow})
	}
}

// meetings are the ids of requests that met the fault, as a run carries them.
type meetings struct {
	mu  sync.Mutex
	ids []string
}
