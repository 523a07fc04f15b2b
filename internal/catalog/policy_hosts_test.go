package catalog

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	sources "mishap/internal/metrics"
)

// What is declared is refused before a run begins; what only shows when it is
// dialled, such as an address in a secret, is refused then.
func TestAServerAsksOnlyListedHosts(t *testing.T) {
	s := newSite(t, config.Allow{})
	s.check("metadata", probing("http", `{"url": "http://169.254.169.254/latest"}`, ""), `allow.hosts: ["169.254.169.254:80"]`)
	s.check("anything else", probing("http", `{"url": "http://api.example/"}`, ""), "")
	s.catalog.settings.Server.Allow.Hosts = []string{"api.example:443", "10.0.0.0/8"}
	s.check("a listed host", probing("http", `{"url": "https://api.example/"}`, ""), "")
	s.check("another port", probing("http", `{"url": "https://127.0.0.1:8443/"}`, ""), `allow.hosts: ["127.0.0.1:8443"]`)
	s.check("a connection", probing("tcp", `{"address": "127.0.0.1:22"}`, ""), `allow.hosts: ["127.0.0.1:22"]`)
	s.check("a query", probing("prometheus", `{"url": "http://127.0.0.1:9090", "query": "up"}`, `{"value": "< 1"}`), `allow.hosts: ["127.0.0.1:9090"]`)
	s.check("a metric", compared("prometheus", `{"url": "http://127.0.0.1:9090"}`), `allow.hosts: ["127.0.0.1:9090"]`)
	s.check("a feed", guarded("calendar", `{"url": "http://127.0.0.1/x.ics"}`), `allow.hosts: ["127.0.0.1:80"]`)
	s.check("a probe in a safeguard", guarded("probe", `{"probe": "tcp", "with": {"address": "127.0.0.1:22"}}`), `allow.hosts: ["127.0.0.1:22"]`)
}

func TestAHostThatASecretNamesIsLookedAtWhenItIsDialled(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	t.Setenv("ADDRESS", server.URL)
	s := newSite(t, config.Allow{Hosts: []string{"10.0.0.0/8"}})
	observe := func(kind, with, expect string) mishap.Observation {
		t.Helper()
		p, err := s.catalog.MakeProbe(mishap.ProbeSpec{Probe: kind, With: json.RawMessage(with), Expect: json.RawMessage(expect), Timeout: mishap.Duration(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		return p.Observe(t.Context())
	}
	const byHTTP, byQuery = `{"url": {"env": "ADDRESS"}}`, `{"url": {"env": "ADDRESS"}, "query": "up"}`
	if o := observe("http", byHTTP, ""); o.Result != mishap.Met {
		t.Fatalf("a person may ask: %+v", o)
	}
	asked.Store(0)
	hosts := s.catalog.listedHosts()
	s.catalog.hosts = &hosts // it serves
	for _, o := range []mishap.Observation{
		observe("http", byHTTP, ""), observe("prometheus", byQuery, `{"value": "< 1"}`),
		observe("tcp", `{"address": "`+strings.TrimPrefix(server.URL, "http://")+`"}`, ""),
	} {
		if o.Result != mishap.Unmeasured || !strings.Contains(o.Detail, "allow.hosts") {
			t.Errorf("%+v", o)
		}
	}
	all, err := makeSources(mishap.Compare{Metrics: []mishap.CompareMetric{{
		Metric: mishap.Gauge, Source: sources.FromPrometheus, With: json.RawMessage(`{"url": {"env": "ADDRESS"}, "gauge": "up"}`),
	}}}, sources.Deps{Dial: s.catalog.Dial})
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := all[0].(sources.Preparer); ok {
		if err := p.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "allow.hosts") {
			t.Errorf("a metric: %v", err)
		}
	}
	for _, k := range s.catalog.Safeguards() {
		if k.Name == "calendar" {
			guard, err := k.New(json.RawMessage(`{"url": "` + server.URL + `", "timezone": "UTC"}`))
			if err != nil {
				t.Fatal(err)
			}
			if err := guard.Check(t.Context(), mishap.Situation{Now: time.Now()}); err == nil || !strings.Contains(err.Error(), "allow.hosts") {
				t.Errorf("a calendar: %v", err)
			}
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}
