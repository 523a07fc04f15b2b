package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
)

// pairs is two that change one proxy, or two of the same upstream, at about the
// same time: a run whose fault harms nobody, and something that harms.
type pairs struct {
	t              *testing.T
	dir, toxiproxy string
	listen         map[string]string
	server         member
	seen           map[string]int
}

const pairExperiment = `version: 1
name: %s
claim: Nothing breaks.
steadyState:
  - {name: answers, probe: http, with: {url: "http://%s/"}, expect: {status: 200}, every: 100ms}
faults:
  - {name: it, injector: %s, targets: {proxy: %s}, with: {%s}, for: 1s}
blastRadius: {targets: 1, share: 100%%}
recovery: {within: 2m}
`

// pairRun is what is asked of a run's report.
type pairRun struct {
	Run, State, Reason string
	Verdict            *string
	Ended              *time.Time
	Injections         []struct{ InjectedAt, SettledAt *time.Time }
}

func newPairs(t *testing.T) *pairs {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(upstream.Close)
	p := &pairs{t: t, dir: t.TempDir(), toxiproxy: freeport.Address(), seen: map[string]int{},
		listen: map[string]string{"pay": freeport.Address(), "pay2": freeport.Address()}}
	settings := "proxies:\n"
	for _, name := range []string{"pay", "pay2"} {
		settings += fmt.Sprintf("  - {name: %s, listen: %q, upstream: %q, control: %q}\n", name, p.listen[name], upstream.Listener.Addr(), filepath.Join(p.dir, "c.sock"))
		p.write("served/benign-served-"+name+".yaml", p.experiment("benign-served-"+name, "proxy-latency", name, "delay: 1ms"))
	}
	p.write("mishap.yaml", settings)
	p.start("a", "proxy", "--toxiproxy", p.toxiproxy)
	p.start("a", "serve", "--experiments", "served", "--listen", "none")
	p.server = member{state: filepath.Join(p.dir, "a")}
	p.await("the server and the proxies", func() bool {
		_, text := p.server.call("GET", "/v1/experiments", "")
		return strings.Contains(text, "benign-served-pay2") && p.mishap("a", "proxy", "watch", "--count", "1").Run() == nil
	})
	return p
}

func (p *pairs) experiment(name, injector, proxy, with string) string {
	return fmt.Sprintf(pairExperiment, name, p.listen[proxy], injector, proxy, with)
}

func (p *pairs) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// mishap makes a command of this program with the ledger of that name.
func (p *pairs) mishap(ledger string, args ...string) *exec.Cmd {
	c := program([]string{"MISHAP_STATE=" + filepath.Join(p.dir, ledger), "GIT_CEILING_DIRECTORIES=" + filepath.Dir(p.dir)}, args...)
	c.Dir = p.dir
	return c
}

// start starts a program until the end of the test.
func (p *pairs) start(ledger string, args ...string) {
	c := p.mishap(ledger, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	c.Stderr = &said
	if err := startLocked(c); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGINT)
		if err := c.Wait(); err != nil || p.t.Failed() {
			p.t.Logf("mishap %v: %v\n%s", args, err, said.String())
		}
	})
}

// await waits for something that is about to be; the test's own limit ends a wait for what never comes.
func (p *pairs) await(what string, done func() bool) {
	for start, told := time.Now(), false; !done(); time.Sleep(20 * time.Millisecond) {
		if !told && time.Since(start) > time.Minute {
			told = true
			p.t.Logf("still waiting for %s", what)
		}
	}
}

// run runs an experiment by hand.
func (p *pairs) run(ledger, kind, proxy string, i int) (got pairRun) {
	name := fmt.Sprintf("%s-%d", kind, i)
	injector, with := "proxy-latency", "delay: 1ms"
	if kind == "harmful" {
		injector, with = "proxy-reset", ""
	}
	p.write(name+".yaml", p.experiment(name, injector, proxy, with))
	c := p.mishap(ledger, "run", name+".yaml", "-o", "json")
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if json.Unmarshal(out, &got) != nil || got.Run == "" {
		p.t.Errorf("pair %d: %s: %v\n%s%s", i, name, err, out, said.String())
	}
	return got
}

// served lets the server run its experiment.
func (p *pairs) served(proxy string) (got pairRun) {
	status, text := p.server.call("POST", "/v1/runs", fmt.Sprintf(`{"experiment": "benign-served-%s"}`, proxy))
	if status == http.StatusConflict {
		return pairRun{State: "refused", Reason: text}
	}
	if json.Unmarshal([]byte(text), &got) != nil || got.Run == "" {
		p.t.Fatalf("start a run: %d %s", status, text)
	}
	id := got.Run
	p.await("the run of the server", func() bool {
		got = pairRun{}
		_, text := p.server.call("GET", "/v1/runs/"+id, "")
		return json.Unmarshal([]byte(text), &got) == nil && got.Ended != nil
	})
	return got
}

// foreign puts a fault in that is no run's, and takes it out again; it gives when it was surely in.
func (p *pairs) foreign(other, proxy string, i int) (from, to time.Time) {
	name := fmt.Sprintf("x%d", i)
	lasts := time.Duration(200+rand.IntN(1500)) * time.Millisecond
	if other == "hand" {
		if out, err := p.mishap("b", "proxy", "add", proxy, "reset", "--id", name, "--for", "1m").CombinedOutput(); err != nil {
			p.t.Errorf("pair %d: %v\n%s", i, err, out)
		}
		from = time.Now()
		time.Sleep(lasts)
		to = time.Now()
		if out, err := p.mishap("b", "proxy", "remove", name).CombinedOutput(); err != nil {
			p.t.Errorf("pair %d: %v\n%s", i, err, out)
		}
		return from, to
	}
	p.toxic("POST", proxy, "", `{"name": "`+name+`", "type": "reset_peer"}`)
	from = time.Now()
	time.Sleep(lasts)
	to = time.Now()
	p.toxic("DELETE", proxy, "/"+name, "")
	return from, to
}

func (p *pairs) toxic(method, proxy, path, body string) {
	req, err := http.NewRequest(method, "http://"+p.toxiproxy+"/proxies/"+proxy+"/toxics"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		p.t.Errorf("a client of Toxiproxy's API is refused: %d %s", resp.StatusCode, text)
	}
}

// touched is when a run had a fault in.
func (r pairRun) touched() (from, to time.Time) {
	if len(r.Injections) == 0 || r.Injections[0].InjectedAt == nil || r.Injections[0].SettledAt == nil {
		return from, to
	}
	return *r.Injections[0].InjectedAt, *r.Injections[0].SettledAt
}

func overlap(a, b, c, d time.Time) bool {
	return !a.IsZero() && !c.IsZero() && a.Before(d) && c.Before(b)
}

// judge says of a verdict whether it is false, and counts it.
func (p *pairs) judge(i int, other, kind string, r pairRun) string {
	verdict := r.State
	if r.Verdict != nil {
		verdict = *r.Verdict
	}
	p.seen[other+": "+kind+" "+verdict]++
	if kind == "benign" && verdict == "deviated" || kind == "harmful" && verdict == "held" {
		p.t.Errorf("pair %d beside %s: FALSE: the %s run %s %s: %s", i, other, kind, r.Run, verdict, r.Reason)
	}
	if verdict == "inconclusive" && !strings.Contains(r.Reason, "changed by others") && !hurried(r.Reason) || verdict == "refused" && r.Reason == "" {
		p.t.Errorf("pair %d beside %s: the %s run is %s without naming the other: %s", i, other, kind, verdict, r.Reason)
	}
	return verdict
}

func (p *pairs) one(i int) {
	proxies := []string{"pay", "pay2"}
	mine, theirs := proxies[rand.IntN(2)], proxies[rand.IntN(2)]
	other := []string{"run, same ledger", "run, another ledger", "served run", "hand", "toxiproxy"}[i%5]
	delay := time.Duration(rand.IntN(3000)-1500) * time.Millisecond
	var benign, harmful pairRun
	var from, to time.Time
	var both sync.WaitGroup
	both.Go(func() {
		time.Sleep(max(0, -delay))
		if other == "served run" {
			benign = p.served(mine)
		} else {
			benign = p.run("a", "benign", mine, i)
		}
	})
	both.Go(func() {
		time.Sleep(max(0, delay))
		switch other {
		case "run, same ledger":
			harmful = p.run("a", "harmful", theirs, i)
			from, to = harmful.touched()
		case "run, another ledger", "served run":
			harmful = p.run("b", "harmful", theirs, i)
			from, to = harmful.touched()
		default:
			from, to = p.foreign(other, theirs, i)
		}
	})
	both.Wait()
	verdict := p.judge(i, other, "benign", benign)
	a, b := benign.touched()
	if harmful.Run != "" {
		p.judge(i, other, "harmful", harmful)
		if overlap(a, b, from, to) {
			p.t.Errorf("pair %d: two runs (%s) had a fault in one thing: %v to %v, and %v to %v", i, other, a, b, from, to)
		}
	} else if verdict == "held" && overlap(a, b, from, to) {
		p.t.Errorf("pair %d: FALSE: held beside a fault of %s: %v to %v, and %v to %v", i, other, a, b, from, to)
	}
}

// TestPairsOnSharedProxiesHaveNoFalseVerdict lets two change the same thing at
// random moments; `make check-pairs` sets how many pairs.
func TestPairsOnSharedProxiesHaveNoFalseVerdict(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(os.Getenv("MISHAP_PAIRS"))
	if err != nil {
		n = 5
	}
	p := newPairs(t)
	for i := range n {
		p.one(i)
	}
	if _, text := p.server.call("GET", "/v1/locks", ""); strings.Contains(text, "benign-") {
		t.Errorf("FALSE: a healthy experiment is locked for another's fault: %s", text)
	}
	for what, count := range p.seen {
		t.Logf("%3d × %s", count, what)
	}
}
