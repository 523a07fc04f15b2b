package differential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// outcome says what became of a client's calls: kind → how many.
type outcome map[string]int

func (o outcome) add(kind string) { o[kind]++ }

// together makes calls, width of them at a time, and counts what becomes of them.
func together(calls, width int, call func(n int) string) outcome {
	o, next := outcome{}, make(chan int)
	var mu sync.Mutex
	var tasks sync.WaitGroup
	for range width {
		tasks.Go(func() {
			for n := range next {
				kind := call(n)
				mu.Lock()
				o.add(kind)
				mu.Unlock()
			}
		})
	}
	for n := range calls {
		next <- n
	}
	close(next)
	tasks.Wait()
	return o
}

// kind says in a word what an error means to who made a call.
func kind(err error) string {
	var stream http2.StreamError
	var timeout net.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &stream):
		return "reset " + stream.Code.String()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE):
		return "lost"
	}
	return err.Error()
}

// dialGRPC is one channel of grpc-go.
func (b *bed) dialGRPC(address string) *grpc.ClientConn {
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// check makes one call, which has five minutes unless the context has less.
func check(ctx context.Context, c grpc.ClientConnInterface) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	_, err := grpc_health_v1.NewHealthClient(c).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return "grpc " + status.Code(err).String()
}

// calls makes calls of grpc-go.
func calls(short, full, width int) func(*bed, string) outcome {
	return func(b *bed, address string) outcome {
		c := b.dialGRPC(address)
		return together(b.times(short, full), width, func(int) string { return check(b.Context(), c) })
	}
}

// watching holds a stream open while it makes calls; the stream itself counts as a call too.
func watching(short, full, width int) func(*bed, string) outcome {
	return func(b *bed, address string) outcome {
		c := b.dialGRPC(address)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		stream, err := grpc_health_v1.NewHealthClient(c).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			return outcome{"stream " + status.Code(err).String(): 1}
		}
		ended := make(chan error, 1)
		go func() {
			_, err := stream.Recv()
			ended <- err
		}()
		o := together(b.times(short, full), width, func(int) string { return check(b.Context(), c) })
		cancel()
		o.add("stream " + status.Code(<-ended).String())
		return o
	}
}

// httpClient is net/http over one version of HTTP.
func (b *bed) httpClient(version int) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(version == 1)
	p.SetUnencryptedHTTP2(version == 2)
	t := &http.Transport{Protocols: p, DisableCompression: true}
	b.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: 5 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// fetch asks once, and says the status and how much came, or why not all did.
func fetch(c *http.Client, ctx context.Context, method, url string, body io.Reader) string {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err.Error()
	}
	res, err := c.Do(req)
	if err != nil {
		return kind(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		return fmt.Sprintf("status %d, then %s", res.StatusCode, kind(err))
	}
	trailer := ""
	if len(res.Trailer) > 0 {
		trailer = fmt.Sprintf(" trailer %v", res.Trailer)
	}
	return fmt.Sprintf("status %d body %d%s", res.StatusCode, n, trailer)
}

// gets asks with net/http.
func gets(version, short, full, width int) func(*bed, string) outcome {
	return func(b *bed, address string) outcome {
		c := b.httpClient(version)
		return together(b.times(short, full), width, func(int) string {
			return fetch(c, b.Context(), http.MethodGet, "http://"+address+"/", nil)
		})
	}
}

// curl asks for paths in turn, on one connection while it lasts.
func curl(flags string, paths ...string) func(*bed, string) outcome {
	return func(b *bed, address string) outcome {
		o := outcome{}
		for _, path := range paths {
			args := append(strings.Fields(flags), "-sS", "-o", "/dev/null", "--max-time", "60", "-w", "%{http_code} body %{size_download} exit %{exitcode}",
				"http://"+address+path)
			out, _ := exec.Command(find(b.T, "curl"), args...).Output()
			o.add(strings.TrimSpace(path + ": " + string(out)))
		}
		return o
	}
}

// load lets h2load ask, over clients connections with streams each.
func load(short, full, clients, streams int) func(*bed, string) outcome {
	counts := regexp.MustCompile(`(\d+) (succeeded|failed)\b`)
	return func(b *bed, address string) outcome {
		out, err := exec.Command(find(b.T, "h2load"), "-n", strconv.Itoa(b.times(short, full)), "-c", strconv.Itoa(clients),
			"-m", strconv.Itoa(streams), "-N", "60s", "http://"+address+"/").CombinedOutput()
		o := outcome{}
		for _, m := range counts.FindAllStringSubmatch(string(out), -1) {
			if n, _ := strconv.Atoi(m[1]); n > 0 {
				o[m[2]] = n
			}
		}
		if err != nil || len(o) == 0 {
			o.add(fmt.Sprintf("h2load: %v: %s", err, out))
		}
		return o
	}
}
