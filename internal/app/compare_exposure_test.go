package app_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/catalog"
	"mishap/internal/engine"
	"mishap/internal/proxy"
	"mishap/internal/proxy/registry"
	"mishap/internal/toxiproxy"
)

// shop is users, the proxy of the arms, a service of our own, and a proxy in front of what it depends on.
type shop struct {
	*app.App
	t         *testing.T
	dir, edge string
	calls     *http.Client
}

// calling is what the service does with a request: it calls what it depends on, which fails or not, and answers with a status.
type calling func(baggage string, call func(baggage string) (ok bool)) (status int)

const shopUsers = 2000

func openShop(t *testing.T, serve calling) *shop {
	t.Helper()
	s := &shop{t: t, dir: t.TempDir(), calls: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	pays := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "paid") }))
	t.Cleanup(pays.Close)
	dependency := make(chan string, 1)
	where := sync.OnceValue(func() string { return "http://" + <-dependency })
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(serve(r.Header.Get("Baggage"), func(baggage string) bool { return s.get(where(), "Baggage", baggage) == http.StatusOK }))
	}))
	t.Cleanup(service.Close)
	settings := filepath.Join(s.dir, "mishap.yaml")
	text := fmt.Sprintf("state: %q\nproxies:\n  - {name: edge, listen: \"127.0.0.1:0\", upstream: %q, protocol: http, edge: true}\n  - {name: pays, listen: \"127.0.0.1:0\", upstream: %q, protocol: http}\n",
		s.dir, service.Listener.Addr(), pays.Listener.Addr())
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.App, err = app.New(app.Options{Config: settings}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan []registry.ProxyStatus, 1), make(chan error, 1)
	go func() {
		ended <- s.ServeProxies(ctx, proxy.Options{}, toxiproxy.Options{}, func(list []registry.ProxyStatus, _ net.Addr) { ready <- list })
	}()
	select {
	case list := <-ready:
		s.edge = "http://" + list[0].Listen
		dependency <- list[1].Listen
		t.Cleanup(func() { stop(); <-ended })
	case err := <-ended:
		stop()
		t.Fatal(err)
	}
	return s
}

func (s *shop) get(url string, header ...string) int {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.calls.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// open lets users come until the end of the test.
func (s *shop) open() {
	ctx, stop := context.WithCancel(context.Background())
	var users sync.WaitGroup
	s.t.Cleanup(func() { stop(); users.Wait() })
	for range 4 {
		users.Go(func() {
			for ctx.Err() == nil {
				s.get(s.edge, "Cookie", fmt.Sprintf("session=u%d", rand.IntN(shopUsers)))
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
}

// run runs an experiment whose fault lets every call fail.
func (s *shop) run(baseline time.Duration, margin string, length time.Duration) *mishap.Run {
	s.t.Helper()
	file := filepath.Join(s.dir, "pays-fails.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `version: 1
name: pays-fails
claim: Users do not notice.
steadyState:
  - {name: it answers, probe: tcp, with: {address: %q}, every: 5s}
compare:
  arms: {from: requests, proxy: edge, key: "cookie:session", share: 50%%}
  baseline: %s
  atLeast: 4s
  alpha: 0.0001
  metrics:
    - {metric: success-rate, margin: %s}
faults:
  - {name: it fails, injector: proxy-http-error, targets: {proxy: pays}, with: {status: 503}, for: %s}
blastRadius: {targets: 1, share: 50%%}
recovery: {within: 20s}
`, strings.TrimPrefix(s.edge, "http://"), baseline, margin, length), 0o600); err != nil {
		s.t.Fatal(err)
	}
	list, err := s.Load(s.t.Context(), []string{file}, catalog.Given{}, true)
	if err != nil {
		s.t.Fatal(err)
	}
	run, err := s.Run(s.t.Context(), list[0], engine.RunOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// enough requests came while the fault was in force for a run to say what there is to say. On a machine that is busy fewer come, and
// a run that does not know is made again, for longer.
const enough = 1000

// TestOnlyRequestsThatMetTheFaultJudgeIt on real proxies, with a real service between them.
func TestOnlyRequestsThatMetTheFaultJudgeIt(t *testing.T) {
	sometimes := func(of int, then calling) calling {
		return func(baggage string, call func(string) bool) int {
			if rand.IntN(of) > 0 {
				return http.StatusOK
			}
			return then(baggage, call)
		}
	}
	needs := func(baggage string, call func(string) bool) int {
		if !call(baggage) {
			return http.StatusBadGateway
		}
		return http.StatusOK
	}
	likes := func(baggage string, call func(string) bool) int { // and can do without it
		switch rand.IntN(3) {
		case 0:
			call(baggage)
		case 1:
			call(baggage)
			call(baggage)
			call(baggage)
		default:
			go call(baggage) // after its answer
		}
		return http.StatusOK
	}
	for name, x := range map[string]struct {
		serve    calling
		baseline time.Duration
		margin   string
		length   time.Duration
		want     mishap.Verdict
		says     string
	}{
		"few requests meet it, and all of those fail": {sometimes(20, needs), 5 * time.Second, "6pp", 2 * time.Minute, mishap.Deviated, ""}, // of all requests 5 % do, within the margin
		"hardly any meets it":                         {sometimes(700, needs), 5 * time.Second, "1pp", 5 * time.Second, mishap.Inconclusive, ""},
		"the service has a fallback":                  {sometimes(2, likes), 5 * time.Second, "20pp", 2 * time.Minute, mishap.Held, "requests met the fault"},
		"baggage is lost on the way":                  {sometimes(2, func(_ string, call func(string) bool) int { return likes("", call) }), 5 * time.Second, "20pp", 10 * time.Second, mishap.Inconclusive, "baggage is lost on the way"},
		"its id is lost on the way": {sometimes(2, func(baggage string, call func(string) bool) int {
			before, _, _ := strings.Cut(baggage, ",mishap.req")
			return likes(before, call)
		}), 15 * time.Second, "20pp", 5 * time.Second, mishap.Inconclusive, "none has mishap.req in its baggage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t, x.serve)
			s.open()
			var verdict mishap.Verdict
			var i *mishap.Intervals
			for baseline, length := x.baseline, x.length; ; baseline, length = 2*baseline, 2*length {
				run := s.run(baseline, x.margin, length)
				var reason string
				verdict, reason = mishap.Judge(run)
				t.Logf("%s: %s", verdict, reason)
				if i = new(mishap.Intervals); run.Compared() != nil {
					i = run.Compared().Intervals
				}
				if verdict == x.want && strings.Contains(reason+strings.Join(i.Waits, "; "), x.says) {
					break
				}
				came := cmp.Or(i.Requests, new(mishap.ArmCount))
				if came := came.Control + came.Experiment; verdict != mishap.Inconclusive || came >= enough || length > 5*time.Minute {
					t.Errorf("%s: %s; %v", verdict, reason, i.Waits)
					break
				}
			}
			if decided := verdict != mishap.Inconclusive; decided && (i.Met == nil || i.Met.Experiment == 0 || i.Met.Experiment >= i.Requests.Experiment) {
				t.Errorf("met %+v of %+v", i.Met, i.Requests)
			}
		})
	}
}
