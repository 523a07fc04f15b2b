//go:build unix

package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/member"
	sources "mishap/internal/metrics"
	"mishap/internal/outside"
	"mishap/internal/proxy"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/usestest"
)

// The suites of the catalogs hand kinds what stands for the program. What the
// program itself hands them must not reach further than they declare, or than the
// settings say.
func TestWhatTheProgramHandsToKindsUsesOnlyWhatTheyDeclare(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "secret")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(answerLikeAll))
	t.Cleanup(web.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": web.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key",
		"AWS_CONFIG_FILE": filepath.Join(folder, "aws"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(folder, "aws"),
	} {
		t.Setenv(name, value)
	}
	socket := serveProxy(t)
	files, err := outside.ParseFiles([]string{folder + "/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(folder, "state")
	ledger := member.New(member.Options{State: state})
	c := New(Options{Halted: ledger.HaltedBy, Others: ledger.Others, Settings: &config.Settings{
		State: state, Lease: mishap.Duration(time.Minute), Proxies: []config.Proxy{{Name: "payments", Control: socket, Protocol: "http"}},
		Accounts: []config.Account{{ID: "123456789012", Regions: []string{"eu-west-1"}}},
	}})
	c.hosts, c.files = new(outside.Hosts), files
	aws := []string{filepath.Join(folder, "aws")}
	here := mishap.Uses{Files: []string{"/proc/*/stat", "/sys/devices/virtual/dmi/id/board_asset_tag"}}
	proxied := mishap.Uses{Hosts: []string{"unix:" + socket}}
	of := func(format string) string { return fmt.Sprintf(format, web.URL, file) }

	for name, c := range map[string]usestest.Case{
		"a command with secrets": c.faulted(t, faulty("exec", "", of(`{"inject": ["true"], "revert": ["true"], "verify": ["false"], "diesWith": "boot", "env": {"URL": %q, "A": {"file": %q}}}`)), nil, mishap.Uses{}),
		"a fault in a proxy":     c.faulted(t, faulty("proxy-http-latency", `{"proxy": "payments"}`, `{"delay": "10ms"}`), nil, proxied),
		"instances":              c.faulted(t, faulty("ec2-stop", `{"tags": {"Role": "payments"}}`, ``), mishap.ErrNoTarget, mishap.Uses{Files: aws, Hosts: []string{web.Listener.Addr().String()}}),
		"a request":              c.observed(t, "http", of(`{"url": %q, "body": {"file": %q}}`), `{}`, mishap.Uses{}),
		"the callers of a proxy": c.observed(t, "callers", `{"proxy": "payments"}`, `{"attempts": "<= 3"}`, proxied),
		"a probe in a safeguard": c.guarded(t, "probe", of(`{"probe": "http", "with": {"url": %q, "body": {"file": %q}}}`), mishap.Uses{}),
		"a calendar":             c.guarded(t, "calendar", fmt.Sprintf(`{"url": %q, "timezone": "UTC"}`, web.URL), mishap.Uses{}),
		"halt":                   c.guarded(t, "halt", ``, mishap.Uses{}),
		"exclusive":              c.guarded(t, "exclusive", ``, mishap.Uses{}),
		"self":                   c.guarded(t, "self", ``, here),
		"irreversible":           c.guarded(t, "irreversible", ``, mishap.Uses{}),
		"a metric":               c.measured(t, of(`{"url": %q, "events": "e", "headers": {"A": {"file": %q}}}`)),
	} {
		c.Granted.Files = append(c.Granted.Files, folder) // that is listed, and bounds what is opened in it
		t.Run(name, func(t *testing.T) { usestest.Check(t, c) })
	}
}

// answerLikeAll answers as whoever is asked in that test would.
func answerLikeAll(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	switch action := r.Form.Get("Action"); action {
	case "GetCallerIdentity":
		_, _ = io.WriteString(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case "DescribeInstances":
		_, _ = io.WriteString(w, `<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>`)
	}
}

// serveProxy is the control socket of a proxy.
func serveProxy(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "p.sock")
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan bool, 1), make(chan error, 1)
	go func() {
		done <- proxy.Serve(ctx, proxy.Options{
			Listeners: []listener.Config{{Name: "payments", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:9", Control: socket, Protocol: "http"}},
			Ready:     func([]registry.ProxyStatus) { ready <- true },
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return socket
}

// faulted is the case of a fault that comes and goes, or cannot be prepared for a
// reason.
func (c *Catalog) faulted(t *testing.T, e mishap.Experiment, reason error, granted mishap.Uses) usestest.Case {
	t.Helper()
	f := e.Faults[0]
	f.Name = "fault"
	kind := c.Kinds()[f.Injector]
	return used(t, f.Injector, granted, func() (mishap.Uses, error) { return kind.Uses(f) }, func() error {
		injector, err := kind.New(f)
		if err != nil {
			return err
		}
		all, err := injector.Prepare(t.Context(), mishap.Request{Run: "run", Fault: f})
		if reason != nil && errors.Is(err, reason) {
			return nil
		}
		for _, in := range all {
			in.ID, in.Run, in.Fault = "run.1.1", "run", f.Name
			injected := injector.Inject(t.Context(), in)
			_, looked := injector.Verify(t.Context(), in)
			_, reverted := injector.Revert(t.Context(), in)
			err = errors.Join(err, injected, looked, reverted)
		}
		return err
	})
}

func (c *Catalog) observed(t *testing.T, probe, with, expect string, granted mishap.Uses) usestest.Case {
	t.Helper()
	spec := mishap.ProbeSpec{Probe: probe, With: json.RawMessage(with), Expect: json.RawMessage(expect), Timeout: mishap.Duration(time.Minute)}
	return used(t, probe, granted, func() (mishap.Uses, error) { return c.probeUses(spec) }, func() error {
		p, err := c.MakeProbe(spec)
		if err == nil {
			p.Observe(t.Context())
		}
		return err
	})
}

func (c *Catalog) guarded(t *testing.T, safeguard, with string, granted mishap.Uses) usestest.Case {
	t.Helper()
	kind := kindOf(c.Safeguards(), func(k mishap.SafeguardKind) bool { return k.Name == safeguard })
	return used(t, safeguard, granted, func() (mishap.Uses, error) { return kind.Uses(json.RawMessage(with)) }, func() error {
		g, err := kind.New(json.RawMessage(with))
		if err == nil {
			err = g.Check(t.Context(), mishap.Situation{Now: time.Now()})
		}
		return err
	})
}

func (c *Catalog) measured(t *testing.T, with string) usestest.Case {
	t.Helper()
	m := mishap.CompareMetric{Name: "m", Metric: mishap.EventRate, Source: sources.FromPrometheus, With: json.RawMessage(with)}
	kind := kindOf(sourceKinds(), func(k mishap.SourceKind) bool { return k.Name == m.Source })
	return used(t, m.Source, mishap.Uses{}, func() (mishap.Uses, error) { return kind.Uses(m) }, func() error {
		made, err := makeSources(mishap.Compare{Metrics: []mishap.CompareMetric{m}}, sources.Deps{Dial: c.Dial, ReadFile: c.files.ReadFile})
		if err != nil {
			return err
		}
		_, _, _ = sources.Pace(t.Context(), made[0]) // it has no numbers, and is asked for them
		return nil
	})
}

func used(t *testing.T, kind string, granted mishap.Uses, uses func() (mishap.Uses, error), work func() error) usestest.Case {
	t.Helper()
	declared, err := uses()
	if err != nil {
		t.Fatalf("declare %s: %v", kind, err)
	}
	return usestest.Case{Kind: kind, Declared: declared, Granted: granted, Work: func() {
		if err := work(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}}
}
