package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
)

// service is one proxied port.
type service struct {
	name             string
	listen, upstream int
}

func services() []service {
	return []service{
		{"echo", portEcho + behind, portEcho}, {"http", portHTTP + behind, portHTTP}, {"bulk", portBulk + behind, portBulk},
		{"script", portScript + behind, portScript}, {"refused", portRefused + behind, portRefused},
		{"echo-a", portEchoA, portEcho}, {"echo-b", portEchoB, portEcho},
	}
}

// target is what is measured: a proxy, or the upstream itself.
type target struct {
	name    string
	process *process // nil for direct
	control controls // nil where no fault can be put in
	host    string   // what it is reached at
	shift   int      // from a port of the upstream to the target's
}

// controls puts a delay of the downstream bytes of a service in, and takes it out.
type controls interface {
	add(ctx context.Context, service string, delay time.Duration) error
	remove(ctx context.Context, service string) error
}

// at is where the target forwards to an upstream's port.
func (t *target) at(port int) string { return net.JoinHostPort(t.host, strconv.Itoa(port+t.shift)) }

func (t *target) cpu() time.Duration {
	if t.process == nil {
		return 0
	}
	return t.process.cpu()
}

func (t *target) stop() {
	switch {
	case t.process == nil:
	case strings.HasPrefix(t.name, "mishap"):
		t.process.terminate()
	default:
		t.process.kill()
	}
}

// start runs a target with new processes and waits until it forwards.
func (b *bench) start(name, experiment string) (t *target, err error) {
	// A host of its own for each, so that no port waits in TIME_WAIT for what was before.
	b.hosts++
	b.host = fmt.Sprintf("127.1.%d.%d", b.hosts/200, b.hosts%200+1)
	t = &target{name: name, host: "127.0.0.1", shift: behind}
	switch name {
	case direct:
		return &target{name: name, host: b.host}, nil
	case "mishap":
		t.process, t.control, err = b.startMishap(experiment)
	case asHTTP:
		t.process, err = b.startHTTP()
	case stdlib:
		t.process, err = b.startStdlib()
	case "toxiproxy":
		t.process, t.control, err = b.startToxiproxy()
	case "nginx":
		t.process, err = b.startNginx()
	case "haproxy":
		t.process, err = b.startHAProxy()
	}
	if err != nil {
		if t.process != nil {
			t.process.kill()
		}
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := awaitPort(portEchoB); err != nil {
		log, _ := os.ReadFile(t.process.log)
		t.process.kill()
		return nil, fmt.Errorf("start %s: %w: %s", name, err, log)
	}
	return t, nil
}

// upstreamAt is where a service is forwarded to.
func (b *bench) upstreamAt(s service) string {
	return net.JoinHostPort(b.host, strconv.Itoa(s.upstream))
}

func (b *bench) write(name, text string) (string, error) {
	path := filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// startMishap runs mishap proxy, or the same package with a profiler.
func (b *bench) startMishap(experiment string) (*process, controls, error) {
	socket := filepath.Join(b.dir, "control")
	text := "state: " + b.dir + "\nproxies:\n"
	for _, s := range services() {
		text += fmt.Sprintf("  - {name: %s, listen: \"%s\", upstream: \"%s\", control: %s}\n", s.name, address(s.listen), b.upstreamAt(s), socket)
	}
	settings, err := b.write("mishap.yaml", text)
	if err != nil {
		return nil, nil, err
	}
	program, args := b.mishap, []string{"proxy", "--config", settings}
	if b.profile != "" {
		program = filepath.Join(b.bin, "proxybench")
		args = []string{"-host", b.host, "-proxy", filepath.Join(b.profile, fmt.Sprintf("%s-%d.pprof", experiment, b.round+1))}
	}
	p, err := startProcess(b.dir, "mishap", program, args...)
	return p, &mishap{control.NewClient(socket), map[string]string{}, 0}, err
}

// mishap is the control API of mishap proxy.
type mishap struct {
	client *control.Client
	in     map[string]string // service → the fault on it
	count  int
}

func (m *mishap) add(ctx context.Context, service string, delay time.Duration) error {
	m.count++
	id := fmt.Sprintf("delay-%d", m.count) // an id that has ended is not taken again
	m.in[service] = id
	_, err := m.client.Put(ctx, fault.Fault{ID: id, Proxy: service, Effect: fault.Latency{Spread: fault.Spread{Delay: fault.Duration(delay)}}, Expires: fault.MaxExpires})
	return err
}

func (m *mishap) remove(ctx context.Context, service string) error {
	_, err := m.client.Delete(ctx, m.in[service])
	return err
}

const nginxConf = `daemon off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err; worker_processes 2; worker_rlimit_nofile 20000; user root;
load_module %[2]s/usr/lib/nginx/modules/ngx_stream_module.so;
events { worker_connections 20000; }
stream { proxy_timeout 1h; access_log off;
%[3]s}
`

func (b *bench) startNginx() (*process, error) {
	var servers strings.Builder
	for _, s := range services() {
		fmt.Fprintf(&servers, "server { listen %s backlog=4096; proxy_pass %s; }\n", address(s.listen), b.upstreamAt(s))
	}
	conf, err := b.write("nginx.conf", fmt.Sprintf(nginxConf, b.dir, b.root, servers.String()))
	if err != nil {
		return nil, err
	}
	return startProcess(b.dir, "nginx", b.root+"/usr/sbin/nginx", "-c", conf, "-p", b.dir, "-e", b.dir+"/nginx.err")
}

const haproxyConf = `global
  maxconn 9800
  nbthread 2
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
`

func (b *bench) startHAProxy() (*process, error) {
	text := haproxyConf
	for _, s := range services() {
		text += fmt.Sprintf("listen %s\n  bind %s\n  server up %s\n", s.name, address(s.listen), b.upstreamAt(s))
	}
	conf, err := b.write("haproxy.cfg", text)
	if err != nil {
		return nil, err
	}
	return startProcess(b.dir, "haproxy", b.root+"/usr/sbin/haproxy", "-db", "-f", conf)
}
