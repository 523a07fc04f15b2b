package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap"

	"mishap/internal/freeport"
)

const (
	stockRate     = 50 // page views per second
	stockUsers    = 200
	stockShop     = 0.5 // of the views are of the page that calls the dependency
	notKnown      = "prices are not known now"
	readTimeout   = 5 * time.Second  // nginx's
	stockPatience = 20 * time.Second // patience, so that a busy machine fails nobody
)

// stockApp is a page of an unmodified nginx, put together of parallel sub-requests
// of which some call the dependency, an experiment on that, and what it must come to.
type stockApp struct {
	name    string
	shop    string // what nginx is told of the page that calls the dependency
	prices  string // and of the sub-requests that do
	fault   string
	success string
	fails   func(view) bool // what a failure is to the experiment
	want    mishap.Verdict
	holds   time.Duration // how long nginx waits in each page that met the fault
	noFault bool          // A/A: those count that would have met it
}

// withFallback is how nginx shows something else for what it does not get.
const withFallback = "proxy_intercept_errors on; error_page 500 502 503 504 = /parts/fallback.html;"

// stockApps have a call that nginx cannot do without (auth_request), and calls that
// it replaces: then each page is answered with 200, and only its body says what is missing.
func stockApps() []stockApp {
	answersError := "{name: prices fail, injector: proxy-http-error, with: {status: 503}"
	tooSlow := "{name: prices are too slow, injector: proxy-http-latency, with: {delay: 20s}" // for proxy_read_timeout
	return []stockApp{
		{
			name: "a call without a fallback", shop: "auth_request /prices;", fault: answersError,
			success: "status: 2xx", fails: view.refused, want: mishap.Deviated,
		},
		{
			name: "a call with a fallback, by status", prices: withFallback, fault: answersError,
			success: "status: 2xx", fails: view.refused, want: mishap.Held,
		},
		{
			name: "a call with a fallback, by body", prices: withFallback, fault: tooSlow,
			success: fmt.Sprintf("status: 2xx, not: {bodyContains: %q}", notKnown), fails: view.poor, want: mishap.Deviated, holds: readTimeout,
		},
		{
			name: "without its fault", shop: "auth_request /prices;", fault: answersError,
			success: "status: 2xx", fails: view.refused, want: mishap.Held, noFault: true,
		},
	}
}

// view is a page view as its visitor saw it, who knows nothing of arms.
type view struct {
	user        int
	shop        bool
	began, over time.Time
	status      int // 0: no whole answer
	body        string
}

func (v view) refused() bool { return v.status != http.StatusOK }
func (v view) poor() bool    { return v.refused() || strings.Contains(v.body, notKnown) }

// visitors look at pages of one application.
type visitors struct {
	mu    sync.Mutex
	views []view
}

// stroll sends page views at random times, each of a random user, until ctx ends.
func (vs *visitors) stroll(ctx context.Context, client *http.Client, address string) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(rand.ExpFloat64() * float64(time.Second) / stockRate)):
		}
		open.Go(func() { vs.see(ctx, client, address) })
	}
}

func (vs *visitors) see(ctx context.Context, client *http.Client, address string) {
	v := view{user: rand.IntN(stockUsers), shop: rand.Float64() < stockShop}
	page := map[bool]string{true: "/shop.html", false: "/about.html"}[v.shop]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+page, nil)
	if err != nil {
		return
	}
	req.AddCookie(&http.Cookie{Name: "session", Value: strconv.Itoa(v.user)})
	v.began = time.Now()
	if resp, err := client.Do(req); err == nil {
		body, broken := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if v.body = string(body); broken == nil {
			v.status = resp.StatusCode
		}
	}
	if ctx.Err() != nil {
		return
	}
	v.over = time.Now()
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.views = append(vs.views, v)
}

// stockConfig is one application of nginx: address, folder, what the shop needs, address of the dependency, its fallback.
const stockConfig = `server { listen %s; root %s; ssi on;
  location = /shop.html { %s }
  location = /prices { internal; proxy_pass http://%[4]s; proxy_read_timeout %[6]s; %[5]s }
  location = /offers { internal; proxy_pass http://%[4]s; proxy_read_timeout %[6]s; %[5]s } }
`

const stockNginx = `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/errors crit; events {}
http { access_log off; types { text/html html; } client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b;
fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
%[2]s}`

const (
	aboutPage = "<!--# include virtual=\"/parts/head.html\" --><!--# include virtual=\"/parts/menu.html\" --><p>about us</p>\n"
	shopPage  = "<!--# include virtual=\"/parts/head.html\" --><!--# include virtual=\"/prices\" --><!--# include virtual=\"/offers\" --><!--# include virtual=\"/parts/menu.html\" -->\n"
)

// stock is all of it: for each application visitors, an edge, an nginx, a dependency's proxy, a dependency.
type stock struct {
	*lanes
	visitors []*visitors
}

func newStock(t *testing.T, apps []stockApp) *stock {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("SKIPPED: nginx is not in PATH, so nothing was tested with the real one")
	}
	s := &stock{lanes: &lanes{t: t, dir: t.TempDir(), alpha: 0.0001}} // a test that fails by chance is no test
	for name, text := range map[string]string{"shop.html": shopPage, "about.html": aboutPage, "parts/head.html": "<h1>shop</h1>\n", "parts/menu.html": "<ul></ul>\n", "parts/fallback.html": "<p>" + notKnown + "</p>\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(s.dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		s.write(name, text)
	}
	settings, servers, nginx := fmt.Sprintf("state: ./state\ngovernor: {runs: %d}\nproxies:\n", len(apps)), "", ""
	for i, app := range apps {
		prices := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<p>12.50</p>\n") }))
		t.Cleanup(prices.Close)
		edge, dependency := freeport.Address(), freeport.Address()
		nginx = freeport.Address()
		s.edges = append(s.edges, edge)
		servers += fmt.Sprintf(stockConfig, nginx, s.dir, app.shop, dependency, app.prices, readTimeout)
		settings += fmt.Sprintf("  - {name: edge-%d, listen: %q, upstream: %q, protocol: http, edge: true, control: ./proxy.sock}\n", i, edge, nginx)
		settings += fmt.Sprintf("  - {name: prices-%d, listen: %q, upstream: %q, protocol: http, control: ./proxy.sock}\n", i, dependency, prices.Listener.Addr())
	}
	s.write("mishap.yaml", settings)
	s.startNginx(path, s.write("nginx.conf", fmt.Sprintf(stockNginx, s.dir, servers)), nginx)
	s.startProxies()
	s.visit()
	return s
}

// startNginx runs it to the end of the test.
func (s *stock) startNginx(path, config, address string) {
	s.t.Helper()
	var said strings.Builder
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		runtime.LockOSThread() // with whose end the kernel ends nginx
		defer close(ended)
		server := exec.CommandContext(ctx, path, "-c", config, "-p", s.dir)
		server.SysProcAttr, server.Stderr = s.mishap().SysProcAttr, &said
		_ = server.Run()
	}()
	s.t.Cleanup(func() { cancel(); <-ended })
	await(s.t, "nginx accepts", func() bool {
		select {
		case <-ended:
			s.t.Fatalf("nginx ended: %s", said.String())
		default:
		}
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

func (s *stock) visit() {
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{MaxIdleConnsPerHost: 50}
	var open sync.WaitGroup
	s.t.Cleanup(func() { cancel(); open.Wait(); transport.CloseIdleConnections() })
	for _, edge := range s.edges {
		vs := &visitors{}
		s.visitors = append(s.visitors, vs)
		open.Go(func() { vs.stroll(ctx, &http.Client{Transport: transport}, edge) })
	}
}

func (s *stock) experiment(lane int, app stockApp) string {
	return s.write(fmt.Sprintf("stock-%d.yaml", lane), fmt.Sprintf(`version: 1
name: stock-%[1]d
claim: Visitors do not notice.
steadyState:
  - {name: it answers, probe: http, with: {url: "http://%[2]s/about.html"}, expect: {status: 200}, every: 5s}
compare:
  arms: {from: requests, proxy: edge-%[1]d, key: "cookie:session", share: 50%%}
  baseline: 10s
  atLeast: 10s
  alpha: %[6]v
  patience: %[3]s
  success: {%[4]s}
  metrics:
    - {metric: success-rate, margin: 15pp}
faults:
  - %[5]s, targets: {proxy: prices-%[1]d}, for: 60s}
blastRadius: {targets: 1, share: 50%%}
recovery: {within: 2m}
`, lane, s.edges[lane], stockPatience, app.success, app.fault, s.alpha))
}

// TestAStockApplicationGetsTheVerdictThatItsVisitorsMeasure: an nginx that knows nothing of mishap, between two proxies.
func TestAStockApplicationGetsTheVerdictThatItsVisitorsMeasure(t *testing.T) {
	t.Parallel()
	apps := stockApps()
	s := newStock(t, apps)
	var runs sync.WaitGroup
	for lane, app := range apps {
		runs.Go(func() {
			var flags []string
			if app.noFault {
				flags = []string{"--no-fault"}
			}
			run, err := s.run(s.experiment(lane, app), flags...)
			if err != nil {
				t.Errorf("%s: %v", app.name, err)
				return
			}
			s.compare(lane, app, run)
		})
	}
	runs.Wait()
}

// compare holds what mishap says of an application to what its visitors saw.
func (s *stock) compare(lane int, app stockApp, run *mishap.Run) {
	verdict, reason := mishap.Judge(run)
	s.t.Logf("%s: %s: %s", app.name, verdict, reason)
	if verdict != app.want {
		s.t.Errorf("%s: run %s: %s, want %s: %s", app.name, run.ID, verdict, app.want, reason)
	}
	look := run.Compared()
	if look == nil || look.Intervals == nil || len(look.Intervals.Rows) != 1 || len(look.Intervals.Beside) != 1 {
		s.t.Errorf("%s: run %s has no row of what met the fault beside one of all requests: %+v", app.name, run.ID, look)
		return
	}
	met, all := look.Intervals.Rows[0], look.Intervals.Beside[0]
	if app.noFault {
		if met.Experiment.Of == 0 || met.Control.Of == 0 {
			s.t.Errorf("%s: nobody is said to have been where the fault would have been: %+v", app.name, met)
		}
		return
	}
	vs := s.visitors[lane]
	failed, of := vs.share(app.fails, run.HoldingAt, run.RevertingAt) // from when the fault is in force
	s.t.Logf("%s: of what met the fault %d of %d failed; visitors saw %d of %d fail, of those who saw any", app.name, met.Experiment.Bad, met.Experiment.Of, failed, of)
	early := vs.early(run)
	if failed != of {
		s.t.Errorf("%s: the fault is in every call, and %d of %d views failed of those who saw a failure", app.name, failed, of)
	}
	if spared := met.Experiment.Of - met.Experiment.Bad; app.want == mishap.Deviated && spared > early {
		s.t.Errorf("%s: %d of the experiment's %d requests are said not to have failed, and only %d came while the fault was put in", app.name, spared, met.Experiment.Of, early)
	}
	vs.agree(s.t, app, "met the fault", met.Experiment.Of, view.poor, run, early)
	vs.agree(s.t, app, "failed of all", all.Experiment.Bad, app.fails, run, 0)
	if refused, _ := vs.share(view.refused, run.InjectedAt, run.RevertingAt); app.prices != "" && refused > 0 {
		s.t.Errorf("%s: %d pages were refused in spite of the fallback", app.name, refused)
	}
	if met.Control.Bad != 0 || all.Control.Bad != 0 {
		s.t.Errorf("%s: of control %d and %d requests failed", app.name, met.Control.Bad, all.Control.Bad)
	}
}

// share is, of those who saw a failure in a time, how many of their views of the shop
// failed that lay wholly within it, and how many these were.
func (vs *visitors) share(fails func(view) bool, from, to time.Time) (failed, of int64) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	hit := map[int]bool{}
	for _, v := range vs.views {
		if v.within(from, to) && fails(v) {
			hit[v.user] = true
		}
	}
	for _, v := range vs.views {
		if !v.within(from, to) || !v.shop || !hit[v.user] {
			continue
		}
		of++
		if fails(v) {
			failed++
		}
	}
	return failed, of
}

// early is how many views of the shop were not over before the first look with the
// fault began, and began before it was in: a request that counts may have been spared.
func (vs *visitors) early(run *mishap.Run) (n int64) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for _, v := range vs.views {
		if v.shop && !v.over.Before(firstLook(run)) && v.began.Before(run.InjectedAt) {
			n++
		}
	}
	return n
}

func (v view) within(from, to time.Time) bool { return !v.began.Before(from) && !v.over.After(to) }

// agree holds a number of views, as the last look has it, between those that
// surely reached the edge in the time that it has counted, and those that began before
// the look, with those that came early where they count.
func (vs *visitors) agree(t *testing.T, app stockApp, what string, said int64, is func(view) bool, run *mishap.Run, early int64) {
	look := run.Compared()
	const bucket = 200 * time.Millisecond
	counted, looked := firstLook(run).Add(look.Intervals.In.Std()-bucket), look.Start.Add(look.Width.Std())
	vs.mu.Lock()
	defer vs.mu.Unlock()
	least, most := int64(0), early
	for _, v := range vs.views {
		if !is(v) {
			continue
		}
		if v.within(run.InjectedAt, counted.Add(app.holds)) {
			least++
		}
		if v.began.Before(looked) {
			most++
		}
	}
	t.Logf("%s: %s: %d, and by its visitors %d to %d", app.name, what, said, least, most)
	if said < least || said > most {
		t.Errorf("%s: %s: %d is reported, and visitors saw %d to %d", app.name, what, said, least, most)
	}
}

// firstLook is when the first look at arms with the fault begins, which is before the fault is put in.
func firstLook(run *mishap.Run) time.Time {
	for _, look := range run.Looks {
		if look.Phase == mishap.InHold {
			return look.Start
		}
	}
	return run.InjectedAt
}
