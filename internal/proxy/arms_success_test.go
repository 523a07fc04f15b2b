package proxy_test

import (
	"io"
	"net/http"
	"testing"

	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// TestASuccessWithAnErrorInsideIsAFailure: 200 with an error in it, and both ways to tell it, by HTTP/1 and HTTP/2.
func TestASuccessWithAnErrorInsideIsAFailure(t *testing.T) {
	up := newService(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json":
			_, _ = io.WriteString(w, `{"error": {"code": "no-stock"}}`)
		case "/page":
			_, _ = io.WriteString(w, "<h1>Error establishing a database connection</h1>")
		case "/header":
			w.Header().Set("X-Fallback", "cache")
		case "/limited":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/br":
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "whatever it is")
		default:
			_, _ = io.WriteString(w, `{"error": null}`)
		}
	})
	r := startWith(t, up, func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	f := arms("a", .5)
	a := f.Effect.(fault.Arms)
	a.Counts = counting(func(c *fault.Counts) {
		c.Rows = append(c.Rows, fault.CountRow{Name: "4xx", Of: fault.OfRefused})
		c.Success = &fault.Success{Not: &fault.Failing{BodyContains: "Error establishing", JSON: map[string]string{"error.code": "*"}, Header: map[string]string{"x-fallback": "*"}}}
	}).Counts
	f.Effect = a
	r.put(f)
	c := &http.Client{Timeout: patience}
	paths := []string{"/json", "/page", "/header", "/limited", "/missing", "/br", "/"}
	for _, path := range paths {
		if _, _, err := r.ask(c, "GET", path, "Cookie", "session=u1"); err != nil {
			t.Fatal(err)
		}
	}
	report, control, experiment := r.armsOf("a", uint32(len(paths)))
	all := control.Requests - control.Successes + experiment.Requests - experiment.Successes
	if all != 3 {
		t.Errorf("%d of %d have failed, want 3", all, len(paths))
	}
	row, _ := report.Counted.Sums.Row("ok")
	if row.Control.Before.Y+row.Experiment.Before.Y != 3 {
		t.Errorf("units with %v and %v failures", row.Control.Before.Y, row.Experiment.Before.Y)
	}
	if row, _ = report.Counted.Sums.Row("4xx"); row.Control.Before.Y+row.Experiment.Before.Y != 2 || row.Control.Before.N+row.Experiment.Before.N != float64(len(paths)) {
		t.Errorf("units with 4xx: %+v", row)
	}
	var refused, limited, sealed uint32
	for _, b := range report.Buckets {
		for _, arm := range []registry.ArmBucket{b.Control, b.Experiment} {
			refused, limited, sealed = refused+arm.Refused, limited+arm.Limited, sealed+arm.Sealed
		}
	}
	if refused != 2 || limited != 1 || sealed != 1 {
		t.Errorf("%d of 4xx, %d of 429, %d that could not be looked at", refused, limited, sealed)
	}
}
