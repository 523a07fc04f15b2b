//go:build unix

package metrics_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
	"mishap/internal/usestest"
)

// The policy of a server asks what a source declares, and nothing else.
func TestEverySourceUsesWhatItDeclares(t *testing.T) {
	var kinds []mishap.Kind
	for _, k := range metrics.Catalog(metrics.Deps{}) {
		kinds = append(kinds, k.Kind)
	}
	usestest.Every(t, kinds, map[string]usestest.Cases{"command": commandUses, "otlp": otlpUses, "prometheus": prometheusUses, "proxy": proxyUses})
}

// read is the case of a source that is made, asked and closed. Done tells when it
// has been asked enough.
func read(t *testing.T, d metrics.Deps, source string, kind mishap.MetricKind, with object, done func(got []analysis.Bucket) bool) usestest.Case {
	t.Helper()
	d.Run = "run-1"
	m := mishap.CompareMetric{Name: "m", Metric: kind, Source: source, With: encode(with)}
	for _, k := range metrics.Catalog(d) {
		if k.Name != source {
			continue
		}
		declared, err := k.Uses(m)
		if err != nil {
			t.Fatal(err)
		}
		return usestest.Case{Kind: "source " + source, With: m.With, Declared: declared, Work: func() {
			s, err := k.New(m)
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := s.(io.Closer); ok {
				defer c.Close()
			}
			_, _, err = metrics.Pace(t.Context(), s)
			var got []analysis.Bucket
			await(t, fmt.Sprint("it is read: ", err), func() bool {
				more, _ := s.Closed(t.Context())
				got = append(got, more...)
				return done(got)
			})
		}}
	}
	t.Fatalf("no source %s", source)
	return usestest.Case{}
}

func some(got []analysis.Bucket) bool { return len(got) > 0 }

func commandUses(t *testing.T) map[string]usestest.Case {
	t.Setenv("SOURCE_TOKEN", "token")
	dir, printed := t.TempDir(), file(t, second(3, 7))
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte("#!/bin/sh\ncat \""+printed+"\"\nsleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	with := object{"argv": []string{"./script"}, "dir": dir, "delay": "1m", "env": object{"A": object{"env": "SOURCE_TOKEN"}, "B": object{"file": printed}, "C": "c"}}
	return map[string]usestest.Case{
		"in a folder": read(t, metrics.Deps{}, "command", mishap.SuccessRate, with, some),
		"a name":      read(t, metrics.Deps{}, "command", mishap.EventRate, object{"argv": []string{"cat", printed}, "delay": "1m"}, some),
	}
}

func proxyUses(t *testing.T) map[string]usestest.Case {
	p := metrics.NewProxy(&ring{first: 1, last: 3, page: 9, origin: time.Now()}, time.Second)
	return map[string]usestest.Case{"all": read(t, metrics.Deps{Proxy: p}, "proxy", mishap.SuccessRate, object{}, some)}
}

func otlpUses(t *testing.T) map[string]usestest.Case {
	r := receive(t)
	told := func([]analysis.Bucket) bool {
		request := httptest.NewRequest("POST", "http://"+r.Addr()+"/v1/metrics", strings.NewReader(`{"resourceMetrics": []}`))
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, request)
		return answer.Code == 200
	}
	arms := object{"label": "arm", "control": "a", "experiment": "b"}
	return map[string]usestest.Case{
		"success-rate": read(t, metrics.Deps{Receiver: r}, "otlp", mishap.SuccessRate, object{"requests": "r", "failures": "f", "arms": arms, "run": "run", "anyRun": true,
			"interval": "1s", "wait": "1s", "step": "1s", "tolerance": "1s", "skew": "1s"}, told),
		"event-rate": read(t, metrics.Deps{Receiver: r}, "otlp", mishap.EventRate, object{"events": "e"}, told),
		"latency":    read(t, metrics.Deps{Receiver: r}, "otlp", mishap.Latency, object{"histogram": "h"}, told),
		"gauge":      read(t, metrics.Deps{Receiver: r}, "otlp", mishap.Gauge, object{"gauge": "g"}, told),
	}
}

func prometheusUses(t *testing.T) map[string]usestest.Case {
	f := newFake(t)
	secure := httptest.NewUnstartedServer(f)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	t.Setenv("SOURCE_URL", f.url)
	asked := func([]analysis.Bucket) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.asked) > 0
	}
	ask := func(kind mishap.MetricKind, with object) usestest.Case {
		return read(t, metrics.Deps{}, "prometheus", kind, with, asked)
	}
	hidden := ask(mishap.EventRate, object{"url": object{"env": "SOURCE_URL"}, "events": "e"})
	hidden.Granted.Hosts = []string{strings.TrimPrefix(f.url, "http://")} // it is known only when it is dialled, and checked then
	return map[string]usestest.Case{
		"a secret address": hidden,
		"success-rate": ask(mishap.SuccessRate, object{"url": secure.URL, "caFile": ca, "headers": object{"A": object{"file": file(t, "a")}}, "requests": "r", "failures": "f",
			"arms": object{"label": "arm"}, "step": "15s", "tolerance": "1s", "skew": "1s"}),
		"latency":               ask(mishap.Latency, object{"url": f.url, "histogram": "h"}),
		"gauge":                 ask(mishap.Gauge, object{"url": f.url, "gauge": "g"}),
		"selectors of each arm": ask(mishap.EventRate, object{"url": f.url, "control": object{"events": "a"}, "experiment": object{"events": "b"}}),
	}
}
