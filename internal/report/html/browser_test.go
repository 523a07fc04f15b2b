package html_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mishap/internal/browsertest"
	"mishap/internal/report/html"
	"mishap/internal/report/reporttest"
)

// browser is a real one that is spoken to through a pipe, in the DevTools
// protocol.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	last    int
	asked   []string // addresses that a page asked for
}

type message struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// openBrowser starts a browser, or skips the test aloud.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := browsertest.Path(t, "the page")
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe")
	cmd.ExtraFiles = []*os.File{theirs, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	theirOut.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	guard := time.AfterFunc(10*time.Minute, func() { _ = cmd.Process.Kill() }) // then reading ends
	t.Cleanup(func() {
		b.session = ""
		b.send("Browser.close", nil)
		_ = cmd.Wait()
		guard.Stop()
		to.Close()
		from.Close()
	})
	var target struct{ TargetID, SessionID string }
	b.ask("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.ask("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime"} {
		b.ask(domain+".enable", nil, nil)
	}
	return b
}

func (b *browser) send(method string, params any) int {
	b.last++
	m := map[string]any{"id": b.last, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	if err != nil {
		b.t.Logf("tell the browser %s: %v", method, err)
	}
	return b.last
}

// next is what the browser says next.
func (b *browser) next() message {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser is gone: %v", err)
	}
	var m message
	if err := json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method == "Network.requestWillBeSent" {
		var p struct{ Request struct{ URL string } }
		if err := json.Unmarshal(m.Params, &p); err != nil {
			b.t.Fatal(err)
		}
		b.asked = append(b.asked, p.Request.URL)
	}
	return m
}

// ask sends a command and waits for its answer.
func (b *browser) ask(method string, params, out any) {
	b.t.Helper()
	id := b.send(method, params)
	for {
		m := b.next()
		if m.ID != id {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error)
		}
		if out != nil {
			if err := json.Unmarshal(m.Result, out); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// visit opens a file at a width and waits until it is loaded.
func (b *browser) visit(path string, width int, scheme string) {
	b.t.Helper()
	b.ask("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.ask("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.send("Page.navigate", map[string]any{"url": "file://" + path})
	for b.next().Method != "Page.loadEventFired" {
	}
}

// evaluate runs a script in the page and gives the text that it returns.
func (b *browser) evaluate(script string) string {
	b.t.Helper()
	var got struct {
		Result           struct{ Value string }
		ExceptionDetails json.RawMessage
	}
	b.ask("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &got)
	if got.ExceptionDetails != nil {
		b.t.Fatalf("a script of this test failed in the page: %s", got.ExceptionDetails)
	}
	return got.Result.Value
}

// tooWide lists what reaches over the right edge, but for what scrolls by
// itself.
const tooWide = `(() => {
	for (const d of document.querySelectorAll('details')) d.open = true;
	const width = document.documentElement.clientWidth, bad = [];
	if (document.documentElement.scrollWidth > width) bad.push('the page is ' + document.documentElement.scrollWidth + ' wide');
	for (const e of document.querySelectorAll('body *')) {
		const r = e.getBoundingClientRect();
		if (r.width > 0 && r.right > width + 1 && !e.closest('.scroll') && !e.closest('svg')) bad.push(e.tagName + '.' + e.className + ' ends at ' + Math.round(r.right));
	}
	return bad.slice(0, 5).join('; ');
})()`

// unreadable lists texts whose contrast with what is behind them is below 4.5.
const unreadable = `(() => {
	const light = c => { const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b };
	const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c } return 'rgb(255, 255, 255)' };
	const bad = new Set();
	for (const e of document.querySelectorAll('body *')) {
		if (e.closest('svg') || ![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
		const a = light(getComputedStyle(e).color), b = light(behind(e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.add(e.tagName + '.' + e.className + ' ' + ratio.toFixed(1));
	}
	return [...bad].slice(0, 5).join('; ');
})()`

// below lists what decides and is not on the first screen.
const below = `(() => {
	const bad = [];
	for (const of of ['h1', '.badge', '.means', '.forest', '.beside table']) {
		const e = document.querySelector(of);
		if (e && e.getBoundingClientRect().bottom > 800) bad.push(of + ' ends at ' + Math.round(e.getBoundingClientRect().bottom));
	}
	return bad.join('; ');
})()`

// mostSheets is how many sheets of paper a run takes.
const mostSheets = 3

func TestWhatDecidesIsOnTheFirstScreenAndAllOfItOnThreeSheets(t *testing.T) {
	b := openBrowser(t)
	pages := map[string]string{"held": page(t, reporttest.EveryStory(t)["held"]), "harmed": page(t, reporttest.EveryStory(t)["harmed"])}
	for name, j := range reporttest.JudgedRuns() {
		pages["rows-"+name] = page(t, j.Journal(t))
	}
	dir := t.TempDir()
	for name, text := range pages {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		b.visit(path, 1280, "light")
		if bad := b.evaluate(below); bad != "" {
			t.Errorf("%s: not on the first screen: %s", name, bad)
		}
		var pdf struct{ Data []byte }
		b.ask("Page.printToPDF", map[string]any{"preferCSSPageSize": true}, &pdf)
		if n := len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(pdf.Data, -1)); n < 1 || n > mostSheets {
			t.Errorf("%s: %d sheets of paper", name, n)
		}
	}
}

func TestPageInABrowserOverflowsNowhereCanBeReadAndAsksForNothing(t *testing.T) {
	b := openBrowser(t)
	pages := map[string]string{}
	for _, name := range []string{"harmed", "cleared", "gone-silent", "held", "stranded", "refused", "attacked"} {
		pages[name] = page(t, reporttest.EveryStory(t)[name])
	}
	for name, j := range reporttest.JudgedRuns() {
		pages["rows-"+name] = page(t, j.Journal(t))
	}
	var trend bytes.Buffer
	if err := html.Trend(&trend, reporttest.Trend(t), "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	pages["trend"] = trend.String()
	dir := t.TempDir()
	for name, text := range pages {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{360, 768, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				where := fmt.Sprintf("%s at %d, %s", name, width, scheme)
				b.visit(path, width, scheme)
				if bad := b.evaluate(tooWide); bad != "" {
					t.Errorf("%s: %s", where, bad)
				}
				if bad := b.evaluate(unreadable); bad != "" {
					t.Errorf("%s: hard to read: %s", where, bad)
				}
				if got := b.evaluate(`document.querySelector('h1') ? 'there' : ''`); got != "there" {
					t.Errorf("%s: the page is not there", where)
				}
			}
		}
	}
	for _, address := range b.asked {
		if !strings.HasPrefix(address, "file://"+dir) && !strings.HasPrefix(address, "data:") {
			t.Errorf("a page asked for %s", address)
		}
	}
}
