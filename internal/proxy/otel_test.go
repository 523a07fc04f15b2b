package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"

	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
)

// TestOpenTelemetryCarriesArmsThroughAGoService: the service is instrumented as its documentation says, and knows nothing
// of arms.
func TestOpenTelemetryCarriesArmsThroughAGoService(t *testing.T) {
	carriesArms(t, func(dependency string) string {
		propagators := otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
		client := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport, propagators), Timeout: patience}
		service := httptest.NewServer(otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+dependency+"/charge", nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			w.WriteHeader(res.StatusCode)
			_, _ = io.Copy(w, res.Body)
		}), "checkout", propagators))
		t.Cleanup(service.Close)
		return service.Listener.Addr().String()
	})
}

// flaskService is a service as people write them. It is started by opentelemetry-instrument, and says nothing of it.
const flaskService = `
import flask, requests, sys
app = flask.Flask("checkout")

@app.get("/")
def checkout():
    answer = requests.get("http://%s/charge" % sys.argv[1], timeout=20)
    return answer.text, answer.status_code

app.run(port=0, threaded=True)
`

// TestOpenTelemetryCarriesArmsThroughAPythonService: the program is not changed at all.
func TestOpenTelemetryCarriesArmsThroughAPythonService(t *testing.T) {
	bin := os.Getenv("MISHAP_OTEL_PYTHON")
	if bin == "" {
		t.Skip("no OpenTelemetry for Python (MISHAP_OTEL_PYTHON); .ci/testbed gets it")
	}
	carriesArms(t, func(dependency string) string {
		program := filepath.Join(t.TempDir(), "checkout.py")
		if err := os.WriteFile(program, []byte(flaskService), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "opentelemetry-instrument"), filepath.Join(bin, "python"), program, dependency)
		cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "PYTHONUNBUFFERED=1",
			"NO_PROXY=*")
		said, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return addressIn(t, said)
	})
}

// addressIn reads what Flask says until it says where it listens, and the rest too, so that it can go on.
func addressIn(t *testing.T, said io.Reader) string {
	found, all := make(chan string, 1), new(bytes.Buffer)
	go func() {
		running := regexp.MustCompile(`Running on http://(\S+)`)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if m := running.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				_, _ = io.Copy(io.Discard, said)
				return
			}
			fmt.Fprintln(all, lines.Text())
		}
		close(found)
	}()
	select {
	case address, ok := <-found:
		if !ok {
			t.Fatalf("the service ended:\n%s", all)
		}
		return address
	case <-time.After(2 * patience):
		t.Fatal("the service did not start")
		return ""
	}
}

// carriesArms puts a service between two proxies: at the edge users are assigned to arms, and behind the service, where its
// dependency is, a fault is confined to the experiment. Each user asks several times, and nobody changes sides.
func carriesArms(t *testing.T, start func(dependency string) (address string)) {
	charge := newService(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "charged ", r.Header.Get("Baggage")) })
	dependency := startWith(t, charge, func(o *proxy.Options) { o.Listeners[0].Protocol, o.Listeners[0].Egress = fault.HTTP, true })
	edge := startWith(t, start(dependency.addr), func(o *proxy.Options) { o.Listeners[0].Protocol, o.Listeners[0].Edge = fault.HTTP, true })
	edge.put(arms("a", .3))
	dependency.put(confined("f", fault.HTTPError{Requests: inExperiment(), Status: 503, Body: "no"}))
	c := &http.Client{Timeout: patience}
	hit, members := map[string]int{}, "mishap.run=r,mishap.arm=experiment,mishap.token="+experimentToken // which nobody outside may say
	for round := range 3 {
		for user := range 40 {
			cookie := fmt.Sprintf("session=u%d", user)
			status, text, err := edge.ask(c, "GET", "/", "Cookie", cookie, "Baggage", members+",tier=gold")
			if err != nil || status != 503 && (status != 200 || text != "charged tier=gold") {
				t.Fatalf("user %d got %d %q %v", user, status, text, err)
			}
			if status == 503 {
				hit[cookie]++
			}
			if n := hit[cookie]; n != 0 && n != round+1 {
				t.Fatalf("user %d was hit %d times in %d rounds", user, n, round+1)
			}
		}
	}
	_, control, experiment := edge.armsOf("a", uint32(edge.get("a").Stats.Requests))
	if experiment.Requests == 0 || control.Requests == 0 || int(experiment.Requests) != 3*len(hit) ||
		experiment.Successes != 0 || control.Successes != control.Requests {
		t.Errorf("%d users were hit; experiment %+v, control %+v", len(hit), experiment, control)
	}
	by := dependency.get("f").Stats.Arms
	if by == nil || by.Experiment.Treated != uint64(experiment.Requests) || by.Control.Treated != 0 || by.Control.Passed != uint64(control.Requests) {
		t.Errorf("at the dependency: %+v", by)
	}
}
