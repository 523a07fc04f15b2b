package proxy_test

import (
	"net/http"
	"testing"

	"mishap/internal/formattest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
)

func TestMetricsOfAProxyAreNamedAsTheyWere(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol, o.Listeners[0].Edge = fault.HTTP, true })
	r.put(arms("a", .5))
	r.put(confined("f", fault.HTTPError{Requests: inExperiment(), Status: 503}))
	if _, _, err := r.ask(&http.Client{Timeout: patience}, "GET", "/", "Cookie", "session=u1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request is counted", func() bool { return r.get("f").Stats.Arms != nil }) // which is after its answer
	formattest.KeptMetrics(t, "metrics-proxy.txt", get(t, r.socket, "/metrics"))
}
