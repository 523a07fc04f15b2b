package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/signal"
	"path/filepath"
	"syscall"
)

const (
	asHTTP = "mishap-http" // mishap proxy with protocol http; its column is mishap's
	stdlib = "httputil"    // a reverse proxy of Go's standard library
)

// column is where a target's values go in the table.
func column(target string) string {
	if target == asHTTP {
		return "mishap"
	}
	return target
}

// runHTTP measures proxies that read requests, not bytes.
func runHTTP(b *bench, t *target) (v values, err error) {
	v = values{}
	v["http32"], v["http32-cpu"], err = b.requests(t, 32)
	return v, err
}

func httpRows() []row {
	return []row{
		{"HTTP, wrk 32 conns, x httputil.ReverseProxy", "%.2f", ratio("http32", stdlib), atLeast(">= 3.5", 3.5), atLeast(">= 4.5", 4.5), false},
		{"HTTP, wrk 32 conns, CPU per request, x httputil.ReverseProxy", "%.3f", ratio("http32-cpu", stdlib), atMost("<= 0.2", 0.2), bound{}, false},
	}
}

// startHTTP runs mishap proxy, which takes the requests of one service apart.
func (b *bench) startHTTP() (*process, error) {
	text := "state: " + b.dir + "\nproxies:\n"
	for _, s := range services() {
		protocol := "tcp"
		if s.name == "http" {
			protocol = "http"
		}
		text += fmt.Sprintf("  - {name: %s, listen: \"%s\", upstream: \"%s\", protocol: %s, control: %s}\n", s.name, address(s.listen), b.upstreamAt(s), protocol, filepath.Join(b.dir, "control"))
	}
	settings, err := b.write("mishap.yaml", text)
	if err != nil {
		return nil, err
	}
	return startProcess(b.dir, asHTTP, b.mishap, "proxy", "--config", settings)
}

// startStdlib runs this program as the reverse proxy of the standard library.
func (b *bench) startStdlib() (*process, error) {
	return startProcess(b.dir, stdlib, filepath.Join(b.bin, "proxybench"), "-host", b.host, "-httputil")
}

// serveStdlib is a reverse proxy as its documentation writes one, with enough idle connections for its clients.
func serveStdlib(host string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	waited, err := net.Listen("tcp", address(portEchoB)) // what the bench waits for
	if err != nil {
		return err
	}
	defer waited.Close()
	for _, s := range services() {
		if s.name != "http" {
			continue
		}
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: (&bench{host: host}).upstreamAt(s)})
		proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 1000}
		server := &http.Server{Addr: address(s.listen), Handler: proxy}
		go func() { <-ctx.Done(); _ = server.Close() }()
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
	}
	return nil
}
