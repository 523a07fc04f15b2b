// The command check runs real clients against a dependency that fails, behind the proxy, and says for each policy in how many
// runs it was told from what the proxy saw. It is for .ci/check-callers.
//
//	check -runs N -clients DIR [-only NAME] [-write FILE]
//
// DIR holds the programs go, python and java, or says by their absence that they are left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

const requests = 44 // of a run; 40 is the least that is judged

func main() {
	runs := flag.Int("runs", 100, "runs of each policy")
	clients := flag.String("clients", "", "folder of the programs go, python and java")
	only := flag.String("only", "", "only policies whose name holds this")
	write := flag.String("write", "", "file to write the result to, besides the standard output")
	command := flag.String("command", "make check-callers", "what to write down as the command")
	flag.Parse()
	if err := check(*runs, *clients, *only, *write, *command); err != nil {
		fmt.Fprintln(os.Stderr, "check-callers:", err)
		os.Exit(1)
	}
}

// rig is a proxy with a listener for each run at a time, all before one dependency that fails.
type rig struct {
	client *control.Client
	urls   []string
	name   map[string]string // of a proxy by its URL
	warm   string            // one more URL, which is not looked at
	stalls stalls
}

func check(runs int, clients, only, write, command string) error {
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer failing.Close()
	folder, err := os.MkdirTemp("", "callers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx, stop := context.WithCancel(context.Background())
	r, ended, err := start(ctx, runs, failing.Listener.Addr().String(), filepath.Join(folder, "control.sock"))
	if err != nil {
		stop()
		return err
	}
	defer func() { stop(); <-ended }()
	go r.stalls.notice()
	began := time.Now()
	var results []result
	wrong := 0
	for _, p := range policies() {
		if only != "" && !strings.Contains(p.name, only) {
			continue
		}
		got := r.try(ctx, p, clients)
		fmt.Println(got.line())
		results = append(results, got)
		wrong += got.wrong
		if write == "" {
			continue
		}
		page := table(results, runs, command, time.Since(began))
		if err := os.WriteFile(write, []byte(page), 0o644); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d runs were told wrongly", wrong)
	}
	return nil
}

// start runs the proxy.
func start(ctx context.Context, runs int, upstream, socket string) (*rig, chan error, error) {
	o := proxy.Options{}
	for i := range runs + 1 {
		o.Listeners = append(o.Listeners, listener.Config{Name: fmt.Sprint("run", i), Listen: "127.0.0.1:0", Upstream: upstream,
			Protocol: fault.HTTP, Control: socket})
	}
	ready, ended := make(chan []registry.ProxyStatus, 1), make(chan error, 1)
	o.Ready = func(list []registry.ProxyStatus) { ready <- list }
	go func() { ended <- proxy.Serve(ctx, o) }()
	select {
	case err := <-ended:
		return nil, nil, err
	case list := <-ready:
		r := &rig{client: control.NewClient(socket), name: map[string]string{}}
		for _, p := range list {
			url := "http://" + p.Listen
			r.urls, r.name[url] = append(r.urls, url), p.Name
		}
		r.urls, r.warm = r.urls[:runs], r.urls[runs]
		return r, ended, nil
	}
}
