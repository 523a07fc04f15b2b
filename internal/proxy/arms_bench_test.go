package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

// benchRole is the environment variable that makes the test program the proxy of a benchmark: "SHARE MET UPSTREAM SOCKET".
const benchRole = "MISHAP_ARMS_BENCH"

// TestMain also plays the proxy of BenchmarkArms, in a process of its own: its CPU time is its own then.
func TestMain(m *testing.M) {
	var share, met float64
	var upstream, socket string
	if n, _ := fmt.Sscan(os.Getenv(benchRole), &share, &met, &upstream, &socket); n != 4 {
		os.Exit(m.Run())
	}
	go func() {
		err := proxy.Serve(context.Background(), proxy.Options{
			Listeners: []listener.Config{{Name: "web", Listen: "127.0.0.1:0", Upstream: upstream, Control: socket, Protocol: fault.HTTP, Edge: true}},
			Ready:     func(list []registry.ProxyStatus) { go benchReady(socket, list[0].Listen, share, met) },
		})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}()
	_, _ = io.Copy(io.Discard, os.Stdin) // the end of the benchmark is the end of the proxy
	os.Exit(0)
}

// benchReady puts arms in, and says where the proxy listens.
func benchReady(socket, address string, share, met float64) {
	if share > 0 {
		if err := benchArms(control.NewClient(socket), share, met); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println(address)
}

// benchArms puts arms in that count units, with all that is told of them; and, if a part of the requests meets a fault, which.
func benchArms(c *control.Client, share, met float64) error {
	f := arms("a", share)
	a := f.Effect.(fault.Arms)
	a.Counts = counting(latencies).Counts
	a.Counts.Exposed = met > 0
	f.Effect, f.Expires = a, time.Hour
	ctx, limits := context.Background(), registry.Limits{Run: f.Run}
	for _, r := range a.Counts.Rows[1:] {
		limits.Thresholds = append(limits.Thresholds, registry.Threshold{Row: r.Name, Control: fault.Duration(ms), Experiment: fault.Duration(2 * ms)})
	}
	_, err := c.Put(ctx, f)
	if err == nil {
		err = c.SetThresholds(ctx, f.ID, limits)
	}
	if err == nil {
		_, err = c.SetInjecting(ctx, f.ID, registry.Injecting{Run: f.Run, At: time.Now()})
	}
	if err == nil && met > 0 {
		go benchMet(c, met)
	}
	return err
}

// benchMet does what a run does five times a second: the proxy is the dependency's too, so that all is done in one process.
func benchMet(c *control.Client, met float64) {
	watch := attempts.MetWatch{Run: "r", Keep: fault.Duration(time.Minute), Faults: []fault.Fault{{ID: "f", Effect: fault.HTTPAbort{}, Share: met}}}
	for joined := (registry.Joined{}); ; {
		got, err := c.Met(context.Background(), "web", watch)
		if watch.After = got.Seq; err == nil {
			through := joined.Over
			if got.More {
				through = 0
			}
			joined, err = c.Meet(context.Background(), "a", registry.Meeting{Run: "r", Met: got.IDs, Through: through})
		}
		if err != nil || joined.Failed != "" || got.Lost > 0 {
			fmt.Fprintln(os.Stderr, "who met the fault:", err, joined.Failed, got.Lost)
		}
		if !got.More {
			time.Sleep(width)
		}
	}
}

// BenchmarkArms asks over 32 kept connections, as 10,000 users, through a proxy without arms, with arms of 5 %, and with
// arms of 50 %; the last also with a tenth of the requests that meet a fault. cpu-ns/op is the CPU time of the proxy's process alone.
func BenchmarkArms(b *testing.B) {
	up := nettest.Serve(b, answerAtOnce)
	for _, bench := range [][2]float64{{0, 0}, {.05, 0}, {.5, 0}, {.5, .1}} {
		share, met := bench[0], bench[1]
		b.Run(fmt.Sprintf("share=%v/met=%v", share, met), func(b *testing.B) {
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v %v %s %s/c.sock", benchRole, share, met, up, b.TempDir()))
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

func latencies(c *fault.Counts) {
	c.Rows = []fault.CountRow{{Name: "success-rate", Of: fault.OfFailures}}
	for _, q := range []string{"p50", "p90", "p99", "p99.9"} {
		c.Rows = append(c.Rows, fault.CountRow{Name: q, Of: fault.OfSlow})
	}
}
