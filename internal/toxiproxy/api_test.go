package toxiproxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/toxiproxy"
)

func TestProxiesListenAtOnceAndPortZeroIsAnsweredWithTheRealOne(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, nettest.Echo))
	if strings.HasSuffix(address, ":0") {
		t.Fatal(address)
	}
	exchange(t, dial(t, address), "hello")
	if status, body := r.call("POST", "/proxies", `{"name": "web", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}`); status != 409 || body != `{"error":"proxy already exists","status":409}`+"\n" {
		t.Fatal(status, body)
	}
	status, body := r.call("POST", "/proxies", `{"name": "other", "listen": "`+address+`", "upstream": "127.0.0.1:1"}`)
	if want := `{"error":"listen tcp ` + address + `: bind: address already in use","status":500}` + "\n"; status != 500 || body != want {
		t.Fatal(status, body)
	}
	if status, _ := r.call("GET", "/proxies/other", ""); status != 404 {
		t.Fatal("a proxy that cannot listen was created")
	}
}

func TestADisabledProxyRefusesAndKeepsItsToxics(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, nettest.Echo))
	r.toxic("web", `{"type": "limit_data", "attributes": {"bytes": 3}}`)
	open := dial(t, address)
	r.ok("PATCH", "/proxies/web", `{"enabled": false}`)
	if _, err := open.Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection goes on")
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Fatal("a proxy that is disabled accepts")
	}
	r.toxic("web", `{"type": "noop"}`)
	if v := r.ok("PATCH", "/proxies/web", `{"enabled": true}`); v["listen"] != address || len(v["toxics"].([]any)) != 2 {
		t.Fatal(v)
	}
	c := dial(t, address)
	_, _ = io.WriteString(c, "hello")
	if data, err := io.ReadAll(c); string(data) != "hel" || err != nil {
		t.Fatalf("%q, %v", data, err)
	}
}

func TestTheUpstreamCanBeChanged(t *testing.T) {
	says := func(text string) string {
		return nettest.Serve(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, text) })
	}
	r := start(t)
	address := r.proxied("web", says("blue"))
	if v := r.ok("POST", "/proxies/web", `{"upstream": "`+says("green")+`"}`); v["listen"] != address || v["enabled"] != true {
		t.Fatal(v)
	}
	if data, _ := io.ReadAll(dial(t, address)); string(data) != "green" {
		t.Fatalf("got %q", data)
	}
}

func TestResetEnablesAllItCanAndLeavesNoToxic(t *testing.T) {
	r := start(t)
	up := nettest.Serve(t, nettest.Echo)
	taken := r.proxied("taken", up)
	for _, name := range []string{"a", "b"} {
		r.proxied(name, up)
		r.toxic(name, `{"type": "latency", "attributes": {"latency": 600000}}`)
		r.ok("POST", "/proxies/"+name, `{"enabled": false}`)
	}
	r.ok("POST", "/proxies/a", `{"enabled": false, "listen": "`+taken+`"}`)
	if status, body := r.call("POST", "/reset", ""); status != 500 || !strings.Contains(body, "address already in use") {
		t.Fatal(status, body)
	}
	v := r.ok("GET", "/proxies/b", "")
	if fmt.Sprint(v["enabled"], v["toxics"]) != "true []" {
		t.Fatal(v)
	}
	exchange(t, dial(t, v["listen"].(string)), "hello")
}

func TestPopulateReplacesWhatDiffersAndNothingElse(t *testing.T) {
	r := start(t)
	up := nettest.Serve(t, nettest.Echo)
	same, other := r.proxied("same", up), r.proxied("other", up)
	for _, name := range []string{"same", "other"} {
		r.toxic(name, `{"type": "latency", "attributes": {"latency": 1}}`)
	}
	open := dial(t, same)
	r.ok("POST", "/populate", `[{"name": "same", "listen": "`+same+`", "upstream": "`+up+`"},
		{"name": "other", "listen": "`+other+`", "upstream": "127.0.0.1:1"}, {"name": "new", "listen": "127.0.0.1:0", "upstream": "x:1", "enabled": false}]`)
	exchange(t, open, "hello")
	all := r.ok("GET", "/proxies", "")
	for name, toxics := range map[string]int{"same": 1, "other": 0, "new": 0} {
		if n := len(all[name].(map[string]any)["toxics"].([]any)); n != toxics {
			t.Errorf("%s has %d toxics", name, n)
		}
	}
	if v := all["new"].(map[string]any); v["enabled"] != false {
		t.Error(v)
	}
}

func TestProxiesOfTheSettingsTakeToxicsAndNothingElse(t *testing.T) {
	up := nettest.Serve(t, nettest.Echo)
	r := startWith(t, toxiproxy.Options{}, proxy.Options{Listeners: []listener.Config{
		{Name: "shop", Listen: "127.0.0.1:0", Upstream: up}, {Name: "dns", Listen: "127.0.0.1:0", Upstream: up, Protocol: fault.UDP}}})
	address := r.ok("GET", "/proxies/shop", "")["listen"].(string)
	r.toxic("shop", `{"type": "limit_data", "attributes": {"bytes": 1}}`)
	for _, c := range []struct{ method, path, body string }{
		{"DELETE", "/proxies/shop", ""}, {"POST", "/proxies/shop", `{"enabled": false}`}, {"PATCH", "/proxies/shop", `{"upstream": "a:1"}`}} {
		if status, body := r.call(c.method, c.path, c.body); status != 403 || !strings.Contains(body, "settings") {
			t.Error(c, status, body)
		}
	}
	for _, name := range []string{"shop", "dns"} {
		if status, body := r.call("POST", "/proxies", `{"name": "`+name+`", "upstream": "a:1"}`); status != 409 {
			t.Error(status, body)
		}
	}
	r.ok("POST", "/reset", "")
	exchange(t, dial(t, address), "hello")
}

func TestFaultsOfExperimentsWorkOnProxiesOfClients(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, nettest.Echo))
	if _, err := r.control.Put(t.Context(), fault.Fault{ID: "f", Run: "r", Proxy: "web", Effect: fault.Refuse{}, Expires: fault.MaxExpires}); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", address); err == nil { // the reset may come before the dial is over
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("not refused")
		}
	}
	r.ok("POST", "/reset", "") // not a toxic: it stays
	if s, err := r.control.Get(t.Context(), "f"); err != nil || s.State != registry.InForce {
		t.Fatal(s, err)
	}
	r.ok("DELETE", "/proxies/web", "")
	if s, err := r.control.Get(t.Context(), "f"); err != nil || s.State != registry.Ended {
		t.Fatal(s, err)
	}
}

func TestTheConfigFileIsReadAndBrokenOnesAreRefused(t *testing.T) {
	up := nettest.Serve(t, nettest.Echo)
	good := writeFile(t, "toxiproxy.json", `[{"name": "a", "listen": "127.0.0.1:0", "upstream": "`+up+`", "enabled": true}, {"name": "b", "listen": "[::1]:1", "upstream": "x:1", "enabled": false}]`)
	r := startWith(t, toxiproxy.Options{Config: good}, proxy.Options{})
	all := r.ok("GET", "/proxies", "")
	exchange(t, dial(t, all["a"].(map[string]any)["listen"].(string)), "hello")
	if len(all) != 2 {
		t.Fatal(all)
	}
	for text, want := range map[string]string{`{`: "JSON list", `{"a": 1}`: "JSON list", `[{"name": "a"}]`: "upstream at proxy 1", `[{"upstream": "a"}]`: "name at proxy 1"} {
		_, err := toxiproxy.Listen(t.Context(), toxiproxy.Options{Address: ":0", Config: writeFile(t, "x.json", text)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAnAddressThatOthersReachIsRefusedWithoutMutualTLS(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:8474", "nonsense", "127.0.0.1:99999"} {
		if _, err := toxiproxy.Listen(t.Context(), toxiproxy.Options{Address: address}); err == nil {
			t.Errorf("%s is listened on", address)
		} else if strings.HasSuffix(address, ":0") && !strings.Contains(err.Error(), "mutual TLS") {
			t.Error(err)
		}
	}
}

func TestWebPagesAreRefused(t *testing.T) {
	r := start(t)
	for header, value := range map[string]string{"User-Agent": "Mozilla/5.0", "Host": "evil.example:80", "Origin": "http://evil.example"} {
		request, _ := http.NewRequest("GET", r.url+"/proxies", nil)
		request.Header.Set(header, value)
		if header == "Host" {
			request.Host = value
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode != 403 {
			t.Fatalf("%s: %v, %v", header, response, err)
		}
		response.Body.Close()
	}
}

func TestMetricsCountTheBytesOfEachWay(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 5))
		_, _ = c.Write(make([]byte, 1<<20))
	}))
	c := dial(t, address)
	_, _ = io.WriteString(c, "hello")
	_, _ = io.Copy(io.Discard, c)
	for _, want := range []string{`received_bytes_total{direction="upstream",listener="ADDRESS",proxy="web",upstream="`, "} 5\n", "} 1.048576e+06\n", "go_goroutines"} {
		eventually(t, want, func() bool {
			_, page := r.call("GET", "/metrics", "")
			return strings.Contains(page, strings.ReplaceAll(want, "ADDRESS", address))
		})
	}
}
