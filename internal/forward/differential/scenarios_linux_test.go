package differential

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// scenario is one upstream, and one client that asks it.
type scenario struct {
	name     string
	nginx    string // how nginx can stand between: "h1", "h2", or "" if it cannot
	upstream func(*bed) string
	client   func(*bed, string) outcome
	instead  map[string]string // regular expression of a kind that only a direct client can see → what a proxy's client may see
	full     bool              // it takes longer than the short form has
}

func scenarios() []scenario {
	ended := map[string]string{` connection lost`: " (reset INTERNAL_ERROR|reset CANCEL|connection lost)"}
	unanswered := map[string]string{`: .*connection lost|: 000 body 0 exit (52|56)`: `: (502.*|.*reset .*|.*connection lost)`}
	return []scenario{
		// Restarts.
		{"a rolling restart under gRPC calls", "h2", grpcGenerations(50, time.Millisecond, true), calls(300, 5000, 4), nil, false},
		{"a rolling restart while a stream stays open", "h2", grpcGenerations(50, time.Millisecond, true), watching(300, 5000, 4), nil, false},
		{"restarts that cut a call", "h2", grpcGenerations(20, 0, false), calls(100, 1000, 1), nil, false},
		{"a rolling restart under HTTP/1", "h1", httpGenerations(50), gets(1, 300, 5000, 4), nil, false},

		// Drains.
		{"a greatest age of connections, and a long stream", "h2", grpcServer(5*time.Millisecond, grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: 300 * time.Millisecond})), watching(300, 3000, 4), nil, false},
		{"GOAWAY refuses what it has not seen", "h2", scripted(nil, drains), gets(2, 100, 1000, 1), nil, false},
		{"nginx ends HTTP/2 after some requests", "h2", nginx(`server { listen LISTEN http2; keepalive_requests 100; location / { return 200 fine; } }`),
			gets(2, 1000, 20000, 8), nil, false},
		{"nginx ends HTTP/2 after some requests, h2load", "h2", nginx(`server { listen LISTEN http2; keepalive_requests 1000; location / { return 200 fine; } }`),
			load(5000, 20000, 4, 10), nil, false},
		{"nginx ends HTTP/1 after some requests", "h1", nginx(`server { listen LISTEN; keepalive_requests 20; location / { return 200 fine; } }`),
			gets(1, 400, 5000, 4), nil, false},

		// Limits.
		{"five streams at once, gRPC", "h2", grpcServer(2*time.Millisecond, grpc.MaxConcurrentStreams(5)), calls(200, 2000, 20), nil, false},
		{"five streams at once, h2load", "h2", handler(5, quick), load(500, 20000, 4, 20), nil, false},
		{"five streams at once, and seven that wait for each other", "", handler(5, meeting(7)), gets(2, 7, 7, 7), nil, false},
		{"a limit of streams that sinks", "h2", scripted([]http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 8}}, sinking), gets(2, 100, 1000, 8), nil, false},

		// Resets.
		{"every code of RST_STREAM, before the answer", "h2", scripted(nil, resets(0)), frames(numbered(14)...), nil, false},
		{"every code of RST_STREAM, after the head", "h2", scripted(nil, resets(1)), frames(numbered(14)...), nil, false},
		{"every code of RST_STREAM, in the body", "h2", scripted(nil, resets(2)), frames(numbered(14)...), nil, false},
		{"REFUSED_STREAM to every third call", "h2", scripted(nil, refuses), calls(90, 900, 1), nil, false},
		{"an answer before the upload has ended", "h2", handler(0, tooLarge), uploads(2, 5, 50), nil, false},
		{"TCP ends under HTTP/2", "h2", scripted(nil, breaks), frames("/head", "/body", "/begin", "/fine"), join(ended, unanswered), false},
		{"TCP ends under HTTP/1", "h1", plain(breaksPlain), curl("--http1.1", "/fin", "/reset", "/fin-length", "/reset-length", "/fin-chunks", "/reset-chunks",
			"/close-body", "/fine"), join(unanswered, map[string]string{`exit 18`: "exit (18|56)"}), false},

		// Stalls.
		{"an upstream that never answers, HTTP/2", "h2", silent, impatient(2, time.Second), nil, false},
		{"an upstream that never answers, HTTP/1", "h1", silent, impatient(1, time.Second), nil, false},
		{"no answer to SYN, HTTP/2", "h2", hole, impatient(2, 25*time.Second), map[string]string{"timeout": "status 502 body .*"}, true},
		{"no answer to SYN, HTTP/1", "h1", hole, impatient(1, 25*time.Second), map[string]string{"timeout": "status 502 body .*"}, true},
		{"a slow body, HTTP/2", "h2", handler(0, slow), gets(2, 8, 80, 8), nil, false},
		{"a slow body, HTTP/1", "h1", handler(0, slow), gets(1, 8, 80, 8), nil, false},

		// Odd answers, all of them legal.
		{"odd answers, HTTP/1", "h1", plain(plainly), heads("--http1.1", numbered(len(plainAnswers()))...), nil, false},
		{"odd answers, HTTP/1, to HEAD", "", plain(plainly), heads("--http1.1 --head", numbered(len(plainAnswers()))...), nil, false},
		{"odd answers, HTTP/2", "h2", scripted(nil, odd), frames(numbered(oddAnswers)...), map[string]string{"100 ": "(100 )?"}, false},
	}
}

// join joins tables of what is seen instead.
func join(tables ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, t := range tables {
		for k, v := range t {
			all[k] = v
		}
	}
	return all
}

func frames(paths ...string) func(*bed, string) outcome {
	return func(b *bed, address string) outcome { return b.exactly(address, http.MethodGet, 0, paths...) }
}

// impatient asks five times at once, with a time limit.
func impatient(version int, limit time.Duration) func(*bed, string) outcome {
	return func(b *bed, address string) outcome {
		c := b.httpClient(version)
		return together(5, 5, func(int) string {
			ctx, cancel := context.WithTimeout(b.Context(), limit)
			defer cancel()
			return fetch(c, ctx, http.MethodGet, "http://"+address+"/", nil)
		})
	}
}

// uploads sends bodies of 4 MiB.
func uploads(version, short, full int) func(*bed, string) outcome {
	return func(b *bed, address string) outcome {
		c, body := b.httpClient(version), make([]byte, 4<<20)
		return together(b.times(short, full), 1, func(int) string {
			return fetch(c, b.Context(), http.MethodPost, "http://"+address+"/", bytes.NewReader(body))
		})
	}
}

// drains answers four requests of a connection, and then refuses what comes in a GOAWAY that lets it live on.
func drains(p *peer, r request) {
	switch {
	case r.nth < 5:
		p.fine(r)
	case r.nth == 5:
		p.goaway(r.stream-2, http2.ErrCodeNo)
	}
}

// sinking allows eight streams, and after the first request one. Once its peer has confirmed that, it refuses what is more.
func sinking(p *peer, r request) {
	if r.nth == 1 {
		p.do(func(f *http2.Framer) {
			_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		})
	}
	p.open.Add(1)
	if p.acks > 1 && p.open.Load() > 1 {
		p.open.Add(-1)
		p.reset(r.stream, http2.ErrCodeRefusedStream)
		return
	}
	go func() {
		time.Sleep(time.Millisecond) // what the service does
		p.open.Add(-1)
		p.fine(r)
	}()
}

// resets resets a stream with the code that its path names: before the head (0), after it (1), or in the body (2).
func resets(at int) func(*peer, request) {
	return func(p *peer, r request) {
		if at > 0 {
			p.head(r.stream, false, ":status", "200")
		}
		if at > 1 {
			p.data(r.stream, false, "half")
		}
		p.reset(r.stream, http2.ErrCode(number(r.path)))
	}
}

// refuses refuses every third call of gRPC, and answers the others.
func refuses(p *peer, r request) {
	if r.nth%3 == 0 {
		p.reset(r.stream, http2.ErrCodeRefusedStream)
		return
	}
	p.head(r.stream, false, ":status", "200", "content-type", "application/grpc")
	p.data(r.stream, false, "\x00\x00\x00\x00\x02\x08\x01")
	p.head(r.stream, true, "grpc-status", "0")
}

func tooLarge() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "less")
	}
}

func quick() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }
}

func slow() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for range 20 {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond) // that is what makes it slow
		}
	}
}

func breaks(p *peer, r request) {
	switch r.path {
	case "/fine":
		p.fine(r)
		return
	case "/head":
		p.head(r.stream, false, ":status", "200")
	case "/body":
		p.head(r.stream, false, ":status", "200", "content-length", "100")
		p.data(r.stream, false, "half")
	}
	p.Close()
}

func breaksPlain(c *net.TCPConn, path string) bool {
	const head = "HTTP/1.1 200 OK\r\n"
	said := map[string]string{
		"/fin-length": head + "Content-Length: 9\r\n\r\nhalf", "/reset-length": head + "Content-Length: 9\r\n\r\nhalf",
		"/fin-chunks": head + "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", "/reset-chunks": head + "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf",
		"/close-body": head + "\r\nwhole", "/fine": head + "Content-Length: 4\r\n\r\nfine"}[path]
	_, _ = io.WriteString(c, said)
	if len(path) > 5 && path[:6] == "/reset" {
		cut(c)
	}
	return path == "/fine"
}

const oddAnswers = 14

// odd answers the request for /n in the nth way.
func odd(p *peer, r request) {
	n := r.stream
	switch number(r.path) {
	case 0:
		p.head(n, false, ":status", "100")
		p.head(n, false, ":status", "103", "x-hint", "a")
		p.head(n, false, ":status", "103", "x-hint", "b")
		p.fine(r)
	case 1:
		p.head(n, true, ":status", "204", "x-a", "b")
	case 2:
		p.head(n, true, ":status", "304", "content-length", "100", "x-a", "b")
	case 3: // empty frames before and after what is said
		p.head(n, false, ":status", "200")
		p.data(n, false, "")
		p.data(n, false, "fine")
		p.data(n, false, "")
		p.data(n, true, "")
	case 4: // padding
		p.head(n, false, ":status", "200")
		p.do(func(f *http2.Framer) { _ = f.WriteDataPadded(n, true, []byte("fine"), make([]byte, 200)) })
	case 5:
		p.head(n, false, ":status", "200", "trailer", "x-sum")
		p.data(n, false, "fine")
		p.head(n, true, "x-sum", "1")
	case 6: // a trailer section that nothing announced, and no body
		p.head(n, false, ":status", "200")
		p.head(n, true, "grpc-status", "0", "x-more", "m")
	case 7: // frames of kinds that nobody knows, PING, WINDOW_UPDATE and PRIORITY in between
		p.head(n, false, ":status", "200")
		p.do(func(f *http2.Framer) {
			_ = f.WriteRawFrame(0xbe, 7, n, []byte("unknown"))
			_ = f.WritePing(false, [8]byte{1})
			_ = f.WriteWindowUpdate(0, 1000)
			_ = f.WritePriority(n, http2.PriorityParam{Weight: 1})
		})
		p.data(n, true, "fine")
	case 8:
		p.head(n, false, ":status", "299", "x-many", string(bytes.Repeat([]byte("m"), 50000)))
		p.data(n, true, "fine")
	case 9:
		p.head(n, false, ":status", "599")
		p.data(n, true, "fine")
	case 10:
		p.head(n, false, ":status", "999")
		p.data(n, true, "fine")
	case 11: // many fields
		fields := []string{":status", "200"}
		for i := range 300 {
			fields = append(fields, "y-"+strconv.Itoa(i), "v")
		}
		p.head(n, false, append(fields, "x-last", "1")...)
		p.data(n, true, "fine")
	case 12: // bytes above ASCII
		p.head(n, false, ":status", "200", "x-latin", "caf\xe9", "x-utf8", "caf\u00e9")
		p.data(n, true, "fine")
	default: // the whole answer in a head
		p.head(n, true, ":status", "404", "content-length", "0", "x-empty", "")
	}
}
