package demo

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Shop is where everything of one demo listens and lies.
type Shop struct {
	Dir      string // settings, experiments, reports and state
	Payments string // host:port, as the three that follow
	Proxy    string // in front of payments
	Careful  string // the storefront with a fallback
	Careless string // the one without
}

// NewShop takes free ports on this machine and writes settings and experiments
// for them.
func NewShop(dir string) (Shop, error) {
	s := Shop{Dir: dir}
	for _, address := range []*string{&s.Payments, &s.Proxy, &s.Careful, &s.Careless} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return s, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // all together, so that no port comes twice
		*address = listener.Addr().String()
	}
	for _, f := range []struct{ path, text string }{
		{s.Settings(), fmt.Sprintf(settings, s.Proxy, s.Payments)},
		{s.Experiment("fallback"), fmt.Sprintf(experiment, "fallback", "A customer can check out when payments answers 300 ms late.",
			"The storefront waits 150 ms for payments, and then sells on credit.", s.Careful)},
		{s.Experiment("no-fallback"), fmt.Sprintf(experiment, "no-fallback", "A customer can check out when payments answers 300 ms late, also without the fallback.",
			"The same storefront with its fallback off. The claim is wrong, and the run shows it.", s.Careless)},
	} {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return s, fmt.Errorf("write demo: %w", err)
		}
		if err := os.WriteFile(f.path, []byte(f.text), 0o644); err != nil {
			return s, fmt.Errorf("write demo: %w", err)
		}
	}
	return s, nil
}

// Settings is the path of the settings.
func (s Shop) Settings() string { return filepath.Join(s.Dir, "mishap.yaml") }

// Experiment is the path of an experiment.
func (s Shop) Experiment(name string) string {
	return filepath.Join(s.Dir, "experiments", name+".yaml")
}

// Report is the path of an experiment's report.
func (s Shop) Report(name string) string { return filepath.Join(s.Dir, "reports", name+".txt") }

const settings = `# Settings of the demo. The state is kept beside this file.
state: ./state
proxies:
  - name: payments        # the storefronts reach payments through it
    listen: %q
    upstream: %q
    control: ./proxy.sock
`

const experiment = `version: 1
name: %s
claim: %s
# %s
steadyState:
  - name: a basket can be paid
    probe: http
    with: {method: POST, url: "http://%s/checkout"}
    expect: {status: 200, body: sold, latency: "<= 1s"}
    every: 200ms
    timeout: 2s
faults:
  - name: payments is slow
    injector: proxy-latency
    targets: {proxy: payments}
    with: {delay: 300ms, jitter: 50ms}
    for: 8s
blastRadius: {targets: 1}
recovery: {within: 30s}
`
