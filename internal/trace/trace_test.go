package trace_test

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"mishap"
	"mishap/internal/trace"
)

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// journal is a run whose one fault was in for two seconds and whose probe was
// unmet once.
func journal() (all []mishap.Entry) {
	add := func(after time.Duration, e mishap.Entry) {
		e.Run, e.Seq, e.At = "r1", int64(len(all)+1), epoch.Add(after)
		all = append(all, e)
	}
	state := func(after time.Duration, to mishap.State, cause mishap.Cause) {
		add(after, mishap.Entry{State: &mishap.StateChange{To: to, Cause: cause}})
	}
	injection := func(after time.Duration, to mishap.InjectionState) {
		add(after, mishap.Entry{Injection: &mishap.InjectionChange{ID: "r1.1", To: to, Injection: &mishap.Injection{ID: "r1.1", Fault: "slow", Injector: "proxy-latency"}}})
	}
	probe := func(after time.Duration, result mishap.Result) {
		add(after, mishap.Entry{Observation: &mishap.Observation{Probe: "up", Phase: mishap.During, Result: result, Value: "500"}})
	}
	e := mishap.Experiment{Name: "checkout", Claim: "It works.", Owner: "team", Group: "g", SteadyState: []mishap.ProbeSpec{{Name: "up", When: []mishap.Phase{mishap.During}}}, Source: mishap.Source{Commit: "abc"}}
	add(0, mishap.Entry{Planned: &mishap.Plan{Experiment: e}})
	state(1*time.Second, mishap.Checking, "")
	state(2*time.Second, mishap.Injecting, "")
	injection(2*time.Second, mishap.InjectionPrepared)
	injection(2*time.Second, mishap.InjectionInjecting)
	injection(3*time.Second, mishap.InjectionInjected)
	state(3*time.Second, mishap.Holding, "")
	probe(4*time.Second, mishap.Met)
	probe(5*time.Second, mishap.Unmet)
	state(5*time.Second, mishap.Reverting, mishap.CauseDeviation)
	injection(5*time.Second, mishap.InjectionReverting)
	injection(5*time.Second, mishap.InjectionReverted)
	state(6*time.Second, mishap.Verifying, "")
	add(7*time.Second, mishap.Entry{Recovered: &mishap.Recovered{In: true}})
	state(7*time.Second, mishap.Completed, "")
	return all
}

// collect is an OpenTelemetry collector that keeps what it gets.
func collect(t *testing.T) (address string, spans func() []*otlp.Span) {
	var mu sync.Mutex
	var got []*otlp.Span
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			in, _ = gzip.NewReader(r.Body)
		}
		text, _ := io.ReadAll(in)
		var request collector.ExportTraceServiceRequest
		if r.URL.Path != "/v1/traces" || proto.Unmarshal(text, &request) != nil {
			t.Errorf("%s: not spans", r.URL.Path)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				got = append(got, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []*otlp.Span { mu.Lock(); defer mu.Unlock(); return got }
}

func TestARunIsOneTraceWithItsStatesAndFaults(t *testing.T) {
	address, spans := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
	e, err := trace.FromEnvironment(t.Context(), "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Send(t.Context(), journal()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var root *otlp.Span
	var lines []string
	id := trace.ID("r1")
	for _, s := range spans() {
		if string(s.TraceId) != string(id[:]) {
			t.Errorf("span %s is in another trace", s.Name)
		}
		if len(s.ParentSpanId) == 0 {
			root = s
		}
		line := s.Name + " " + time.Unix(0, int64(s.StartTimeUnixNano)).Sub(epoch).String() + " to " + time.Unix(0, int64(s.EndTimeUnixNano)).Sub(epoch).String()
		for _, event := range s.Events {
			line += ", " + event.Name
		}
		lines = append(lines, line)
	}
	want := []string{
		"planned 0s to 1s", "checking 1s to 2s", "injecting 2s to 3s", "holding 3s to 5s, probe unmet", "reverting 5s to 6s", "verifying 6s to 7s, recovered",
		"fault slow 3s to 5s", "run checkout 0s to 7s",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if root == nil || root.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR || !strings.Contains(root.String(), "deviated") {
		t.Errorf("the root does not say that it deviated: %v", root)
	}
	for _, s := range spans() {
		if s != root && string(s.ParentSpanId) != string(root.SpanId) {
			t.Errorf("%s is not below the run", s.Name)
		}
	}
}

func TestWithoutACollectorNothingIsSent(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	e, err := trace.FromEnvironment(t.Context(), "v1", slog.New(slog.DiscardHandler))
	if e != nil || err != nil {
		t.Errorf("got %v, %v", e, err)
	}
	if err := e.Send(t.Context(), journal()); err != nil {
		t.Error(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
