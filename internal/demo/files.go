package demo

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Shop is where everything of one demo listens and lies.
type Shop struct {
	Dir string // settings, experiments, reports and state
	// The addresses are host:port.
	Payments      string
	PaymentsProxy string // in front of payments, for the first two storefronts
	StubbornProxy string // in front of payments, for the third
	Careful       string // the storefront with a fallback
	CarefulEdge   string // the proxy in front of it, which its users reach
	Careless      string // the one without
	CarelessEdge  string
	Stubborn      string // the one that tries again and again
}

// NewShop takes free ports on this machine and writes settings and experiments
// for them.
func NewShop(dir string) (Shop, error) {
	s := Shop{Dir: dir}
	for _, address := range []*string{&s.Payments, &s.PaymentsProxy, &s.StubbornProxy, &s.Careful, &s.CarefulEdge, &s.Careless, &s.CarelessEdge, &s.Stubborn} {
		listener, err := listen()
		if err != nil {
			return s, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // all together, so that no port comes twice
		*address = listener.Addr().String()
	}
	addresses := strings.NewReplacer(
		"$PAYMENTS-PROXY", s.PaymentsProxy, "$PAYMENTS", s.Payments, "$STUBBORN-PROXY", s.StubbornProxy, "$STUBBORN", s.Stubborn,
		"$CAREFUL-EDGE", s.CarefulEdge, "$CAREFUL", s.Careful, "$CARELESS-EDGE", s.CarelessEdge, "$CARELESS", s.Careless,
	)
	for path, text := range map[string]string{
		s.Settings():                settings,
		s.Experiment("fallback"):    compared("fallback", fallback, "careful"),
		s.Experiment("no-fallback"): compared("no-fallback", noFallback, "careless"),
		s.Experiment("retries"):     retries,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return s, fmt.Errorf("write demo: %w", err)
		}
		if err := os.WriteFile(path, []byte(addresses.Replace(text)), 0o644); err != nil {
			return s, fmt.Errorf("write demo: %w", err)
		}
	}
	return s, nil
}

// listen listens on a port below those that systems give to clients (Linux begins at
// 32768): no connection takes it before what it is for listens there.
func listen() (listener net.Listener, err error) {
	const first, end = 10000, 32768
	for range 100 {
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(end-first)))
		if err == nil {
			break
		}
	}
	return listener, err
}

// Settings is the path of the settings.
func (s Shop) Settings() string { return filepath.Join(s.Dir, "mishap.yaml") }

// Experiment is the path of an experiment.
func (s Shop) Experiment(name string) string {
	return filepath.Join(s.Dir, "experiments", name+".yaml")
}

// Report is the path of an experiment's report.
func (s Shop) Report(name string) string { return filepath.Join(s.Dir, "reports", name+".txt") }

// Journal is the path of the journal that alone explains it.
func (s Shop) Journal(name string) string { return filepath.Join(s.Dir, "reports", name+".jsonl") }

// Page is the path of the same as a page.
func (s Shop) Page(name string) string { return filepath.Join(s.Dir, "reports", name+".html") }

const settings = `# Settings of the demo. The state is kept beside this file.
state: ./state
proxies:
  - name: edge-careful     # the users of the first storefront come through it: here arms are assigned
    listen: $CAREFUL-EDGE
    upstream: $CAREFUL
    protocol: http
    edge: true             # nobody outside can say which arm they are in
    control: ./proxy.sock
  - name: edge-careless    # the same for the second
    listen: $CARELESS-EDGE
    upstream: $CARELESS
    protocol: http
    edge: true
    control: ./proxy.sock
  - name: payments         # both reach payments through it: here faults are injected
    listen: $PAYMENTS-PROXY
    upstream: $PAYMENTS
    protocol: http
    control: ./proxy.sock
  - name: payments-stubborn # and the third through this one
    listen: $STUBBORN-PROXY
    upstream: $PAYMENTS
    protocol: http
    control: ./proxy.sock
`

const (
	fallback = `claim: Customers can still check out when payments answers 300 ms late.
# The storefront waits 150 ms for payments, and then sells on credit.`
	noFallback = `claim: Customers can still check out when payments answers 300 ms late, also without the fallback.
# The same storefront with its fallback off. The claim is wrong, and the run shows it.`
)

// compared is an experiment with two arms on one of the storefronts.
func compared(name, claim, storefront string) string {
	return strings.NewReplacer("$NAME", name, "$CLAIM", claim, "$EDGE", "$"+strings.ToUpper(storefront)+"-EDGE", "$storefront", storefront).Replace(`version: 1
name: $NAME
$CLAIM
steadyState:
  - name: a basket can be paid
    probe: http
    with: {method: POST, url: "http://$EDGE/checkout"}
    expect: {status: 200, body: sold, latency: "<= 1s"}
    every: 500ms
    timeout: 2s
compare:                   # a quarter of the users to each arm; only the experiment gets the fault
  arms: {from: requests, proxy: edge-$storefront, key: "cookie:session", share: 25%}
  baseline: 5s             # short, and atLeast too, for the demo: most systems need a minute or more of each
  atLeast: 10s
  metrics:
    - {metric: success-rate, margin: 2pp}
faults:
  - name: payments is slow
    injector: proxy-http-latency
    targets: {proxy: payments}
    with: {delay: 300ms, jitter: 50ms}
    for: 45s               # at most: the comparison ends it as soon as it has an answer
blastRadius: {targets: 1, share: 25%}
recovery: {within: 30s}
`)
}

const retries = `version: 1
name: retries
claim: When payments fails, the storefront waits longer and longer before it asks again.
# It tries eight times, always after the same short wait: a failure of payments
# becomes eight times its load.
steadyState:
  - name: a basket can be paid
    probe: http
    with: {method: POST, url: "http://$STUBBORN/checkout"}
    expect: {status: 200, body: sold}
    when: [before, after]
  - name: callers of payments back off
    probe: callers
    with: {proxy: payments-stubborn, window: 5s}
    expect: {backoff: exponential}
    every: 500ms
    unknown: 19 of 20      # until enough was seen to tell
    when: [during]
faults:
  - name: payments fails
    injector: proxy-http-error
    targets: {proxy: payments-stubborn}
    with: {status: 503}
    for: 20s
blastRadius: {targets: 1}
recovery: {within: 30s}
`
