package metrics

import (
	"compress/gzip"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mishap"
)

const (
	// UsualReceiver is where OTLP over HTTP is expected, on this machine alone.
	UsualReceiver = "127.0.0.1:4318"
	largestExport = 16 << 20 // bytes, unpacked
	exportWithin  = 10 * time.Second
)

// ReceiverConfig is how metrics are received.
type ReceiverConfig struct {
	Listen string      // address; empty: [UsualReceiver]
	Token  string      // what exporters must bear in Authorization; needed beyond this machine
	TLS    *tls.Config // needed beyond this machine
}

// Receiver receives metrics by OTLP over HTTP (POST /v1/metrics, protobuf or
// JSON), for the sources of kind otlp. Whoever made it closes it.
type Receiver struct {
	listener net.Listener
	server   *http.Server
	token    string
	foreign  bool // other machines may send
	serving  sync.WaitGroup

	mu      sync.Mutex
	sources map[*otlpSource]bool
}

// Receive begins to listen. Other machines are let in only by TLS and a token,
// because what they send decides about runs.
func Receive(ctx context.Context, c ReceiverConfig) (*Receiver, error) {
	address := orElse(c.Listen, UsualReceiver)
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("receive metrics: %w", err)
	}
	if !loopback(host) && (c.TLS == nil || c.Token == "") {
		return nil, mishap.WithHint(fmt.Errorf("receive metrics on %s: other machines may connect, and that needs TLS and a token", address),
			"listen on "+UsualReceiver+" with a collector in front, or set both")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("receive metrics: %w", err)
	}
	if c.TLS != nil {
		listener = tls.NewListener(listener, c.TLS)
	}
	r := &Receiver{listener: listener, token: c.Token, foreign: !loopback(host), sources: map[*otlpSource]bool{}}
	r.server = &http.Server{Handler: r, ReadTimeout: exportWithin, WriteTimeout: exportWithin, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	r.serving.Go(func() { _ = r.server.Serve(listener) }) // ends with Close
	return r, nil
}

// loopback reports whether only this machine can reach an address.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hostOf is the name in a Host header: a web page that had its name pointed to
// this machine, to send here from a browser, has another one than this machine.
func hostOf(header string) string {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.Trim(header, "[]")
	}
	return host
}

// Addr is where it listens.
func (r *Receiver) Addr() string { return r.listener.Addr().String() }

// Close ends the listener and all connections.
func (r *Receiver) Close() error {
	err := r.server.Close()
	r.serving.Wait()
	return err
}

func (r *Receiver) attach(s *otlpSource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources[s] = true
}

func (r *Receiver) detach(s *otlpSource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sources, s)
}

// problem is a request that is refused.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// ServeHTTP takes one export.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	encoding, export, err := r.read(w, request)
	if err != nil {
		status := http.StatusBadRequest
		var p *problem
		if errors.As(err, &p) {
			status = p.status
		}
		http.Error(w, err.Error(), status)
		return
	}
	answer := &collector.ExportMetricsServiceResponse{}
	if refused, why := r.take(export, time.Now()); refused > 0 {
		answer.PartialSuccess = &collector.ExportMetricsPartialSuccess{RejectedDataPoints: refused, ErrorMessage: why}
	}
	var body []byte
	if encoding == jsonType {
		body, err = protojson.Marshal(answer)
	} else {
		body, err = proto.Marshal(answer)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", encoding)
	_, _ = w.Write(body)
}

const (
	jsonType     = "application/json"
	protobufType = "application/x-protobuf"
)

// read reads an export, and in which encoding it came.
func (r *Receiver) read(w http.ResponseWriter, request *http.Request) (string, *collector.ExportMetricsServiceRequest, error) {
	encoding, _, _ := mime.ParseMediaType(request.Header.Get("Content-Type"))
	token, bears := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	switch {
	case !r.foreign && !loopback(hostOf(request.Host)):
		return "", nil, &problem{http.StatusForbidden, "this receiver is for this machine; ask it as 127.0.0.1 or localhost"}
	case r.token != "" && (!bears || subtle.ConstantTimeCompare([]byte(token), []byte(r.token)) != 1):
		return "", nil, &problem{http.StatusUnauthorized, "the token is missing or wrong"}
	case request.URL.Path != "/v1/metrics":
		return "", nil, &problem{http.StatusNotFound, "metrics are received at /v1/metrics, by OTLP over HTTP; nothing else is"}
	case request.Method != http.MethodPost:
		return "", nil, &problem{http.StatusMethodNotAllowed, "metrics are sent by POST"}
	case encoding != jsonType && encoding != protobufType:
		return "", nil, &problem{http.StatusUnsupportedMediaType, "the content type must be " + protobufType + " or " + jsonType}
	}
	var body io.Reader = http.MaxBytesReader(w, request.Body, largestExport)
	switch request.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return "", nil, fmt.Errorf("unpack export: %w", err)
		}
		body = unpacked
	default:
		return "", nil, &problem{http.StatusUnsupportedMediaType, "the content encoding must be gzip or none"}
	}
	raw, err := io.ReadAll(io.LimitReader(body, largestExport+1))
	if err != nil {
		return "", nil, fmt.Errorf("read export: %w", err)
	}
	if len(raw) > largestExport {
		return "", nil, &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("an export has at most %d MiB", largestExport>>20)}
	}
	export := &collector.ExportMetricsServiceRequest{}
	if encoding == jsonType {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(raw, export)
	} else {
		err = proto.Unmarshal(raw, export)
	}
	if err != nil {
		return "", nil, fmt.Errorf("decode export: %w", err)
	}
	return encoding, export, nil
}

// take hands an export to all sources, and says how many points were refused by
// one of them, and why. What nobody reads is no error.
func (r *Receiver) take(export *collector.ExportMetricsServiceRequest, now time.Time) (refused int64, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.sources {
		n, err := s.take(export, now)
		if refused += n; err != nil {
			why = err.Error()
		}
	}
	return refused, why
}
