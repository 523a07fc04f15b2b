package toxiproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/nettest"
	"mishap/internal/proxy/registry"
)

// A client of Toxiproxy's API is never refused; the run whose proxy it changes is told.
func TestWhatAClientChangesIsToldToTheRunThatOwnsTheProxy(t *testing.T) {
	r := start(t)
	call := func(method, path, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %v %v", method, path, resp, err)
		}
		_ = resp.Body.Close()
	}
	call("POST", "/proxies", fmt.Sprintf(`{"name": "pay", "listen": %q, "upstream": %q}`, freeport.Address(), nettest.Serve(t, nettest.Echo)))
	own := func(renew bool) (told []string, err error) {
		owned, err := r.control.Own(t.Context(), "pay", registry.Owner{Run: "one", Expires: time.Hour, Renew: renew})
		for _, d := range owned.Disturbed {
			told = append(told, d.What+" "+d.By)
		}
		return told, err
	}
	if told, err := own(false); err != nil || told != nil {
		t.Fatal(told, err)
	}
	call("POST", "/proxies/pay/toxics", `{"name": "slow", "type": "latency", "attributes": {"latency": 5}}`)
	call("POST", "/proxies/pay/toxics/slow", `{"attributes": {"latency": 9}}`)
	call("POST", "/proxies/pay", `{"enabled": false}`)
	told, err := own(true)
	want := []string{"fault toxic-1-slow (latency) was injected", "fault toxic-1-slow (latency) was changed", "proxy pay was closed"}
	if err != nil || len(told) != len(want) {
		t.Fatalf("told %q, %v", told, err)
	}
	for i := range want {
		if told[i] != want[i]+" through Toxiproxy's API" {
			t.Errorf("told %q, want %q", told[i], want[i])
		}
	}
	call("DELETE", "/proxies/pay", "")
	if _, err := own(true); err == nil {
		t.Error("a proxy that was removed still belongs to the run")
	}
}
