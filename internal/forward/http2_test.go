package forward_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/nettest"
)

func TestHTTP2RequestsGoOnAsTheyCame(t *testing.T) {
	r, client := rigFor(t, "http2", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %s %s %s %s %q %v", r.ProtoMajor, r.Method, r.RequestURI, r.Host, r.Header.Get("X-Mine"), body,
			r.Header["User-Agent"])
	})
	for _, path := range []string{"/", "/a//b/../c%2Fd?x=y%20z&q={}", "//double", "/?"} {
		req, _ := http.NewRequest(http.MethodPut, "http://"+r.addr+path, strings.NewReader("hello"))
		req.Host = "Shop.Example:8080"
		req.Header.Set("X-Mine", "Kept")
		req.Header["User-Agent"] = []string{""}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`2 PUT %s Shop.Example:8080 Kept "hello" []`, path)
		if got := text(t, res); got != want {
			t.Errorf("upstream saw %s, want %s", got, want)
		}
		res.Body.Close()
		if x := r.exchange(); x.Version != 2 || x.Sent != 5 || x.Host != "Shop.Example:8080" || x.Status != 200 || x.Failure != forward.None {
			t.Errorf("observed %+v", x)
		}
	}
}

// frame is a gRPC message.
func frame(s string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(s))), s...)
}

// grpcEcho is a gRPC server: it sends each message back when it comes, and then a status that no header has announced.
func grpcEcho(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc+proto")
	if r.URL.Path == "/shop.Cart/Fail" {
		w.Header().Set("Grpc-Status", "5") // trailers only
		return
	}
	_ = http.NewResponseController(w).Flush()
	for head := make([]byte, 5); ; {
		if _, err := io.ReadFull(r.Body, head); err != nil {
			break
		}
		message := make([]byte, binary.BigEndian.Uint32(head[1:]))
		_, _ = io.ReadFull(r.Body, message)
		_, _ = w.Write(frame(string(message)))
		_ = http.NewResponseController(w).Flush()
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	w.Header().Set(http.TrailerPrefix+"Grpc-Message", "fine")
}

// call begins a gRPC call whose messages are written to out.
func call(t *testing.T, client *http.Client, url string) (out *io.PipeWriter, res *http.Response) {
	t.Helper()
	in, out := io.Pipe()
	req, _ := http.NewRequest(http.MethodPost, url, in)
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	res, err := client.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close(); out.Close() })
	return out, res
}

func TestGRPCStreamsBothWaysAndKeepsItsTrailers(t *testing.T) {
	r, client := rigFor(t, "http2", grpcEcho)
	out, res := call(t, client, "http://"+r.addr+"/shop.Cart/Add")
	for i := range 5 {
		message := frame(fmt.Sprint("message ", i))
		_, _ = out.Write(message)
		got := make([]byte, len(message))
		if _, err := io.ReadFull(res.Body, got); err != nil || !bytes.Equal(got, message) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	out.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
		t.Fatalf("rest is %q, %v", rest, err)
	}
	if res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Grpc-Message") != "fine" {
		t.Errorf("trailer is %v", res.Trailer)
	}
	if x := r.exchange(); x.GRPC != 0 || x.Path != "/shop.Cart/Add" || x.Sent != x.Received || x.Sent == 0 {
		t.Errorf("observed %+v", x)
	}
}

// endedWithHead says whether the stream has ended with the head, which net/http says by the type of the body alone.
func endedWithHead(res *http.Response) bool {
	return strings.Contains(fmt.Sprintf("%T", res.Body), "noBody")
}

func TestGRPCResponsesOfTrailersOnlyStaySo(t *testing.T) {
	r, client := rigFor(t, "http2", grpcEcho)
	_, res := call(t, client, "http://"+r.addr+"/shop.Cart/Fail")
	if res.Header.Get("Grpc-Status") != "5" || !endedWithHead(res) {
		t.Errorf("answer is %v with a body: %v", res.Header, res.Body)
	}
	if x := r.exchange(); x.GRPC != 5 {
		t.Errorf("observed %+v", x)
	}
}

func TestGRPCStatusIsGivenForAMethod(t *testing.T) {
	r, client := rigFor(t, "http2", grpcEcho)
	r.put(forward.Rule{Match: forward.Match{Service: "shop.Cart", GRPCMethod: "Pay"},
		GRPC: &forward.GRPCStatus{Code: 14, Message: "100% gone\n"}})
	_, res := call(t, client, "http://"+r.addr+"/shop.Cart/Pay")
	h := res.Header
	if res.StatusCode != 200 || h.Get("Grpc-Status") != "14" || h.Get("Grpc-Message") != "100%25 gone%0A" ||
		h.Get("Content-Type") != "application/grpc" || !endedWithHead(res) {
		t.Errorf("answer is %v", res)
	}
	if x := r.exchange(); x.GRPC != 14 || len(x.Hits) != 1 {
		t.Errorf("observed %+v", x)
	}
	_, res = call(t, client, "http://"+r.addr+"/shop.Cart/Fail")
	if res.Header.Get("Grpc-Status") != "5" {
		t.Errorf("another method got %v", res.Header)
	}
}

func TestAbortResetsOneStreamAlone(t *testing.T) {
	r, client := rigFor(t, "http2", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") })
	r.put(forward.Rule{Match: forward.Match{Path: forward.Exact("/bad")}, Abort: true})
	conns := map[string]bool{}
	for range 3 {
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conns[i.Conn.LocalAddr().String()] = true }}
		for _, path := range []string{"/bad", "/good"} {
			req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost,
				"http://"+r.addr+path, strings.NewReader("x"))
			res, err := client.Do(req)
			if path == "/bad" {
				if err == nil || !strings.Contains(err.Error(), "stream error") {
					t.Fatalf("the client saw %v", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			text(t, res)
			res.Body.Close()
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections, want 1", len(conns))
	}
}

func TestAStreamThatTheClientCancelsIsCancelledUpstream(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	r, client := rigFor(t, "http2", func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr, nil)
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Fatalf("the client saw %v", err)
	}
	<-ended
	if x := r.exchange(); x.Failure != forward.ClientGone {
		t.Errorf("observed %+v", x)
	}
}

func TestAStreamThatTheUpstreamResetsIsReset(t *testing.T) {
	for _, after := range []string{"before the head", "in the body"} {
		t.Run(after, func(t *testing.T) {
			r, client := rigFor(t, "http2", func(w http.ResponseWriter, _ *http.Request) {
				if after == "in the body" {
					_, _ = io.WriteString(w, "some")
					_ = http.NewResponseController(w).Flush()
				}
				panic(http.ErrAbortHandler)
			})
			res, err := client.Get("http://" + r.addr)
			if err == nil {
				defer res.Body.Close()
				_, err = io.ReadAll(res.Body)
			}
			if err == nil || !strings.Contains(err.Error(), "stream error") {
				t.Errorf("the client saw %v", err)
			}
			if x := r.exchange(); x.Failure != forward.UpstreamGone {
				t.Errorf("observed %+v", x)
			}
		})
	}
}

func TestInterimResponsesPassOverHTTP2(t *testing.T) {
	r, client := rigFor(t, "http2", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "ok")
	})
	hints := ""
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { hints = h.Get("Link"); return nil }})
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr, nil)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body := text(t, res); hints != "</a>" || body != "ok" || res.Header.Get("Link") != "" {
		t.Errorf("hints %q, body %q, header %v", hints, body, res.Header)
	}
}

func TestHTTP2ClientsReachAnHTTP1Upstream(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%d %s %s %s", r.ProtoMajor, r.RequestURI, r.Host, body)
		w.Header().Set("X-Sum", "1")
	})
	r := startWith(t, addr, func(s *forward.Server) { s.Upstream = forward.HTTP1 })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	req, _ := http.NewRequest(http.MethodPost, "http://"+r.addr+"/a?b", strings.NewReader("hello"))
	req.Host = "shop"
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := text(t, res); got != "1 /a?b shop hello" || res.Trailer.Get("X-Sum") != "1" || res.ProtoMajor != 2 {
		t.Errorf("got %q, %v", got, res)
	}
}

// TestTLSOnBothSides lets the handshakes choose the version of HTTP.
func TestTLSOnBothSides(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, r.ProtoMajor)
			}))
			s.EnableHTTP2 = true
			s.StartTLS()
			defer s.Close()
			protocol := map[int]string{1: "http/1.1", 2: "h2"}[version]
			server := &forward.Server{Faults: &forward.Board{}, Dial: func(ctx context.Context) (net.Conn, error) {
				config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				config.ServerName, config.NextProtos = "example.com", []string{protocol}
				d := tls.Dialer{Config: config}
				return d.DialContext(ctx, "tcp", s.Listener.Addr().String())
			}}
			l := tls.NewListener(nettest.Listen(t), &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{protocol}})
			var tasks sync.WaitGroup
			tasks.Go(func() {
				c, err := l.Accept()
				if err == nil {
					server.Serve(t.Context(), c)
				}
			})
			client := s.Client()
			for range 3 {
				res, err := client.Get("https://" + l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if body := text(t, res); body != fmt.Sprint(version) || res.ProtoMajor != version {
					t.Errorf("upstream spoke %s, client %d, want %d", body, res.ProtoMajor, version)
				}
				res.Body.Close()
			}
			client.CloseIdleConnections()
			tasks.Wait()
		})
	}
}

func TestBackpressureHoldsOverHTTP2(t *testing.T) {
	ended := make(chan int64, 1)
	r, client := rigFor(t, "http2", func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
		n, _ := io.Copy(w, io.LimitReader(pattern{}, 1<<30))
		ended <- n
	})
	res, err := client.Get("http://" + r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n := <-ended; n > 64<<20 {
		t.Errorf("%d bytes went out while the client read none", n)
	}
}
