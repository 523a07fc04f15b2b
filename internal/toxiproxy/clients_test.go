package toxiproxy_test

import (
	"mishap/internal/nettest"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	toxiclient "github.com/Shopify/toxiproxy/v2/client"
)

// TestTheGoClientRunsItsExamples: what the README of the client of Toxiproxy 2.12.0 shows.
func TestTheGoClientRunsItsExamples(t *testing.T) {
	r := start(t)
	client := toxiclient.NewClient(r.address)
	p, err := client.CreateProxy("redis", "127.0.0.1:0", nettest.Serve(t, nettest.Echo))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.AddToxic("", "latency", "downstream", 1, toxiclient.Attributes{"latency": 50, "jitter": 5}); err != nil {
		t.Fatal(err)
	}
	if took := exchange(t, dial(t, p.Listen), "hello"); took < 45*time.Millisecond {
		t.Fatal(took)
	}
	if toxic, err := p.UpdateToxic("latency_downstream", -1, toxiclient.Attributes{"latency": 10}); err != nil || toxic.Attributes["jitter"] != 5.0 || toxic.Toxicity != 1 {
		t.Fatal(toxic, err)
	}
	if err := p.RemoveToxic("latency_downstream"); err != nil {
		t.Fatal(err)
	}
	if err := p.Disable(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", p.Listen); err == nil {
		c.Close()
		t.Fatal("a proxy that is down accepts")
	}
	if err := p.Enable(); err != nil {
		t.Fatal(err)
	}
	exchange(t, dial(t, p.Listen), "hello")
	list, err := client.Populate([]toxiclient.Proxy{{Name: "redis", Listen: p.Listen, Upstream: p.Upstream, Enabled: true},
		{Name: "mysql", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:3306", Enabled: true}})
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if _, err := client.AddToxic(&toxiclient.ToxicOptions{ProxyName: "mysql", ToxicType: "timeout", Stream: "upstream", Toxicity: 0.5}); err != nil {
		t.Fatal(err)
	}
	if err := client.ResetState(); err != nil {
		t.Fatal(err)
	}
	all, err := client.Proxies()
	if err != nil || len(all) != 2 || len(all["mysql"].ActiveToxics) != 0 {
		t.Fatal(all, err)
	}
	for _, p := range all {
		if err := p.Delete(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Proxy("redis"); err == nil || !strings.Contains(err.Error(), "HTTP 404: proxy not found") {
		t.Fatal(err)
	}
}

// pythonExamples is what the README of toxiproxy-python shows, and its tests assert.
const pythonExamples = `
import socket, sys, time
import toxiproxy
from toxiproxy.exceptions import ProxyExists, NotFound, InvalidToxic

upstream = sys.argv[2]
server = toxiproxy.Toxiproxy()
server.update_api_consumer("127.0.0.1", int(sys.argv[1]))
assert server.running() and b"2.12.0" in server.version()

def ask(proxy):
    host, port = proxy.listen.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as c:
        begin = time.time()
        c.sendall(b"hello")
        assert c.recv(5) == b"hello"
        return time.time() - begin

proxy = server.create(name="web", upstream=upstream)
ask(proxy)
proxy.add_toxic(type="latency", attributes={"latency": 100, "jitter": 10})
assert ask(proxy) >= 0.09
assert proxy.get_toxic("latency_downstream").attributes["latency"] == 100
proxy.add_toxic(name="cut", type="bandwidth", stream="upstream", toxicity=0.5, attributes={"rate": 1000})
assert set(proxy.toxics()) == {"latency_downstream", "cut"} and proxy.get_toxic("cut").toxicity == 0.5
assert proxy.destroy_toxic("latency_downstream")

with server.get_proxy("web").down():
    try:
        ask(proxy)
        raise SystemExit("a proxy that is down answers")
    except ConnectionRefusedError:
        pass
ask(proxy)

for wrong, error in (
        (lambda: server.create(name="web", upstream=upstream), ProxyExists),
        (lambda: proxy.add_toxic(type="nonsense"), InvalidToxic),
        (lambda: proxy.add_toxic(type="noop", stream="sideways"), InvalidToxic),
        (lambda: proxy.destroy_toxic("nothing"), NotFound)):
    try:
        wrong()
        raise SystemExit("no error: %s" % error)
    except error:
        pass

made = server.populate([
    {"name": "one", "upstream": upstream, "listen": "127.0.0.1:0"},
    {"name": "two", "upstream": upstream, "listen": "127.0.0.1:0", "enabled": False}])
assert [p.enabled for p in made] == [True, False]
assert server.reset() and server.get_proxy("two").enabled and not proxy.toxics()
server.destroy_all()
assert server.proxies() == {}
`

func TestThePythonClientRunsItsExamples(t *testing.T) {
	python := os.Getenv("MISHAP_TOXIPROXY_PYTHON")
	if python == "" {
		t.Skip("SKIPPED: no Python client of Toxiproxy; .ci/testbed gets one")
	}
	r := start(t)
	_, port, _ := net.SplitHostPort(r.address)
	if _, err := strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, "-c", pythonExamples, port, nettest.Serve(t, nettest.Echo)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
