package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/nettest"
)

// flooded is a server and a proxy, each with few descriptors, and how they are reached.
type flooded struct {
	*stage
	descriptors  int
	serve, proxy *started
	api          string // address
	secure       bool
	certificate  string // file
	data, web    string // addresses of the proxies
	control      string
}

const floodToken = "flood-operator"

// bothFaults has a fault that needs a process, and one in a proxy.
const bothFaults = `version: 1
name: both
claim: Nothing breaks.
steadyState:
  - {name: fine, probe: exec, with: {argv: ["true"]}, every: 200ms, unknown: 10 of 20}
faults:
  - name: flag
    injector: exec
    with: {inject: [touch, flag], revert: [rm, -f, flag], verify: [test, -e, flag], diesWith: boot}
    for: 10m
  - {name: slow, injector: proxy-latency, targets: {proxy: data}, with: {delay: 300ms}, for: 10m}
blastRadius: {targets: 2, share: 100%}
recovery: {within: 2m, first: 10ms}
`

func newFlooded(t *testing.T, descriptors int, secure bool) *flooded {
	t.Helper()
	f := &flooded{stage: newStage(t), descriptors: descriptors, secure: secure, data: freeport.Address(), web: freeport.Address(), control: freeport.Address()}
	upstream := nettest.Serve(t, nettest.Echo)
	settings := "state: ./state\nlisten: 127.0.0.1:0\nallow: {commands: [touch, rm, test, 'true']}\nsources: [{name: x, folder: chaos}]\n" +
		fmt.Sprintf("tokens: [{name: op, role: admin, hash: \"sha256:%x\"}]\nproxies:\n", sha256.Sum256([]byte(floodToken))) +
		fmt.Sprintf("  - {name: data, listen: %q, upstream: %q, control: %q}\n", f.data, upstream, "tcp://"+f.control) +
		fmt.Sprintf("  - {name: web, listen: %q, upstream: %q, control: %q, protocol: http}\n", f.web, upstream, "tcp://"+f.control)
	if secure {
		settings += "tls: {cert: cert.pem, key: key.pem}\n"
		f.certify()
	}
	f.write("mishap.yaml", settings)
	if err := os.Mkdir(filepath.Join(f.dir, "chaos"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write("chaos/both.yaml", bothFaults)
	f.proxy = f.limited("proxy").begin()
	f.proxy.says("web: ")
	f.serve = f.limited("serve").begin()
	listening := regexp.MustCompile(`listen=([0-9.:]+)`)
	await(t, "the server is ready", func() bool {
		if found := listening.FindStringSubmatch(f.serve.err.String()); found != nil {
			f.api = found[1]
		}
		status, _ := (&member{state: filepath.Join(f.dir, "state")}).call("GET", "/readyz", "")
		return f.api != "" && status == http.StatusOK
	})
	return f
}

// certify writes a certificate for 127.0.0.1 and its key.
func (f *flooded) certify() {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	f.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	f.certificate = filepath.Join(f.dir, "cert.pem")
}

// limited is a command that may have so many descriptors.
func (f *flooded) limited(args ...string) *started {
	f.t.Helper()
	program, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	c := f.mishap()
	c.Cmd = exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, f.descriptors), program}, args...)...)
	c.Dir, c.Stdout, c.Stderr = f.dir, &c.out, &c.err
	c.Env = append(os.Environ(), isProgram)
	return c
}

// remotely makes a command that asks the API with a token.
func (f *flooded) remotely(args ...string) *started {
	scheme := "http://"
	if f.secure {
		scheme = "https://"
	}
	c := f.mishap(append(args, "--server", scheme+f.api)...)
	c.Env = append(c.Env, "MISHAP_TOKEN="+floodToken, "SSL_CERT_FILE="+f.certificate)
	return c
}

// begins starts a run, and waits until both faults are in.
func (f *flooded) begins() {
	f.t.Helper()
	run := f.remotely("run", "both")
	run.begin()
	await(f.t, "both faults are in", func() bool {
		if ended(run.Process.Pid) {
			_ = run.Wait()
			f.t.Fatalf("the run is over: %s%s%s", run.ProcessState, run.out.String(), run.err.String())
		}
		return f.is("flag") && f.delays()
	})
}

// delays asks the proxy's control API whether its fault is in.
func (f *flooded) delays() bool {
	watch := f.mishap("proxy", "watch", "--count", "1")
	_ = watch.Run()
	return strings.Contains(watch.out.String(), "latency")
}

// stops runs a verb, wants it to succeed and both faults to be out, and gives how
// long the verb took.
func (f *flooded) stops(c *started) time.Duration {
	f.t.Helper()
	asked := time.Now()
	if err := c.Run(); err != nil {
		f.t.Errorf("%v: %v\n%s%s", c.Args[1:], err, c.out.String(), c.err.String())
	}
	took := time.Since(asked)
	await(f.t, "both faults are out", func() bool { return !f.is("flag") && !f.delays() })
	await(f.t, "the run is over", func() bool {
		_, runs := (&member{state: filepath.Join(f.dir, "state")}).call("GET", "/v1/runs?limit=1", "")
		return strings.Contains(runs, `"state":"completed"`) && len(f.keepers()) == 0
	})
	return took
}

// floods starts n clients of each of its doors.
func (f *flooded) floods(n int) map[string]*flood {
	overAPI := overTCP
	if f.secure {
		overAPI = overTLS
	}
	doors := map[string]func(int) (net.Conn, error){
		"the API": overAPI(f.api), "the data port": overTCP(f.data), "the HTTP port": overTCP(f.web), "the proxy's control": overTCP(f.control),
	}
	sockets, _ := filepath.Glob(filepath.Join(f.dir, "state", "servers", "*.sock"))
	for _, path := range sockets {
		doors[filepath.Base(path)] = overUnix(path)
	}
	for _, name := range abstract("@mishap-server-") {
		doors[name] = overUnix(name)
	}
	if len(doors) < 7 {
		f.t.Fatalf("the doors are %v", doors)
	}
	if room := roomFor(len(doors)); n > room {
		f.t.Fatalf("this process may open too few files for %d clients of each door: raise the limit, or ask for at most %d", n, room)
	}
	all := map[string]*flood{}
	for name, dial := range doors {
		all[name] = flooding(f.t, n, dial)
	}
	for name, one := range all {
		await(f.t, "all clients have come to "+name, func() bool { return one.dialled.Load() >= int64(n) })
	}
	return all
}

// floodOf is how many clients each door gets, and how many descriptors there are:
// few in every test run, and as many as MISHAP_FLOOD says.
func floodOf(t *testing.T) (clients, descriptors int) {
	if text := os.Getenv("MISHAP_FLOOD"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n, 1024
	}
	return 400, 256
}

// Clients that say nothing, or too slowly, keep nobody from the brake, and nothing of
// them stays.
func TestAFloodKeepsNobodyFromTheBrake(t *testing.T) {
	for name, secure := range map[string]bool{"clear": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !inside(t, syscall.CLONE_NEWNET) {
				return
			}
			if err := nettest.LoopbackUp(); err != nil {
				t.Skipf("NOT TESTED: this system lets the test set up no loopback: %v", err)
			}
			clients, few := floodOf(t)
			f := newFlooded(t, few, secure)
			f.begins()
			before := map[*started]int{f.serve: descriptors(f.serve.Process.Pid), f.proxy: descriptors(f.proxy.Process.Pid)}
			all := f.floods(clients)
			took := map[string]time.Duration{"abort": f.stops(f.mishap("abort", "last"))}
			f.begins()
			took["abort --server"] = f.stops(f.remotely("abort", "last"))
			f.begins()
			took["halt"] = f.stops(f.mishap("halt"))
			if err := f.mishap("resume").Run(); err != nil {
				t.Error("resume:", err)
			}
			f.begins()
			took["halt --server"] = f.stops(f.remotely("halt"))
			for name, one := range all {
				t.Logf("%s: %d connections came, and %d are open", name, one.dialled.Load(), one.open.Load())
				one.end()
			}
			t.Logf("%d clients of each, %d descriptors: %v", clients, few, took)
			for c, had := range before {
				await(t, "no descriptor of the flood remains", func() bool { return descriptors(c.Process.Pid) <= had })
			}
		})
	}
}
