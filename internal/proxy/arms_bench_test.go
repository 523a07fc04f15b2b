package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy"
)

// BenchmarkArmsBook is what the book of arms costs a request of an arm, from its coming to its end, on all cores at once.
func BenchmarkArmsBook(b *testing.B) {
	for name, a := range map[string]proxy.Arms{"buckets": {}, "and units": counting(latencies)} {
		b.Run(name, func(b *testing.B) {
			a.Key = "cookie:session"
			book := proxy.NewBook(a, time.Now())
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				x := answer(200, 3*ms)
				for a := new(forward.Assignment); p.Next(); {
					*a = forward.Assignment{Arm: forward.Arm(1 + rand.Uint64()%2), Unit: rand.Uint64() % 10_000, At: time.Now()}
					book.Begin(a)
					book.Answered(a, x)
					book.End(a, x)
				}
			})
		})
	}
}

// latencies are the rows of a usual comparison: failures, and four quantiles.
func latencies(c *proxy.Counts) {
	c.Rows = []proxy.CountRow{{Name: "success-rate", Of: proxy.OfFailures}}
	for _, q := range []string{"p50", "p90", "p99", "p99.9"} {
		c.Rows = append(c.Rows, proxy.CountRow{Name: q, Of: proxy.OfSlow})
	}
}

// benchRole is the environment variable that makes the test program the proxy of a benchmark: "SHARE UPSTREAM SOCKET".
const benchRole = "MISHAP_ARMS_BENCH"

// TestMain also plays the proxy of BenchmarkArms, in a process of its own: its CPU time is its own then.
func TestMain(m *testing.M) {
	var share float64
	var upstream, socket string
	if n, _ := fmt.Sscan(os.Getenv(benchRole), &share, &upstream, &socket); n != 3 {
		os.Exit(m.Run())
	}
	go func() {
		err := proxy.Serve(context.Background(), proxy.Options{
			Listeners: []proxy.Listener{{Name: "web", Listen: "127.0.0.1:0", Upstream: upstream, Control: socket, Protocol: proxy.HTTP, Edge: true}},
			Ready:     func(list []proxy.ProxyStatus) { go benchReady(socket, list[0].Listen, share) },
		})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}()
	_, _ = io.Copy(io.Discard, os.Stdin) // the end of the benchmark is the end of the proxy
	os.Exit(0)
}

// benchReady puts arms in, and says where the proxy listens.
func benchReady(socket, address string, share float64) {
	if share > 0 {
		if err := benchArms(proxy.NewClient(socket), share); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println(address)
}

// benchArms puts arms in that count units, with all that is told of them.
func benchArms(c *proxy.Client, share float64) error {
	f := arms("a", share)
	a := f.Effect.(proxy.Arms)
	a.Counts = counting(latencies).Counts
	f.Effect, f.Expires = a, time.Hour
	ctx, limits := context.Background(), proxy.Limits{Run: f.Run}
	for _, r := range a.Counts.Rows[1:] {
		limits.Thresholds = append(limits.Thresholds, proxy.Threshold{Row: r.Name, Control: proxy.Duration(ms), Experiment: proxy.Duration(2 * ms)})
	}
	_, err := c.Put(ctx, f)
	if err == nil {
		err = c.SetThresholds(ctx, f.ID, limits)
	}
	if err == nil {
		_, err = c.SetInjecting(ctx, f.ID, proxy.Injecting{Run: f.Run, At: time.Now()})
	}
	return err
}

// BenchmarkArms asks over 32 kept connections, as 10,000 users, through a proxy without arms, with arms of 5 %, and with
// arms of 50 %. cpu-ns/op is the CPU time of the proxy's process alone.
func BenchmarkArms(b *testing.B) {
	up := upstream(b, answerAtOnce)
	for _, share := range []float64{0, .05, .5} {
		b.Run(fmt.Sprintf("share=%v", share), func(b *testing.B) {
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v %s %s/c.sock", benchRole, share, up, b.TempDir()))
			cmd.Stderr = os.Stderr
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			load(b, strings.TrimSpace(line))
			in.Close()
			_ = cmd.Wait()
			used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
}

func answerAtOnce(c *net.TCPConn) {
	buf, answer := make([]byte, 4096), []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world\n")
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func load(b *testing.B, address string) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	b.ResetTimer()
	for client := range 32 {
		all.Go(func() {
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for n := client; left.Add(-1) >= 0; n += 32 {
				_, err := fmt.Fprintf(c, "GET /some/path?q=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\nAccept: */*\r\nCookie: a=b; session=u%d\r\n\r\n", n%10_000)
				for line := []byte(nil); err == nil && len(line) != 2; {
					line, err = r.ReadSlice('\n')
				}
				if err == nil {
					_, err = r.Discard(12)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
}
