package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/browsertest"
	"mishap/internal/ledger"
	"mishap/internal/report/reporttest"
)

// screenshots is where pictures of the pages are put, if it is set.
const screenshots = "MISHAP_SCREENSHOTS"

// patience is how long a test has for all that it does with a browser, which a busy machine starts in half a minute: far beyond
// what it takes.
const patience = 10 * time.Minute

// browser is a real one. What its console says is kept: errors, and what the policy
// keeps out.
type browser struct {
	context.Context
	t testing.TB

	mu   sync.Mutex
	said []string
}

// openBrowser starts a browser, or skips the test aloud.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	path := browsertest.Path(t, "the console")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-quic", true), chromedp.WSURLReadTimeout(patience))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	ctx, leave := chromedp.NewContext(ctx)
	b := &browser{Context: ctx, t: t}
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); leave() })
	chromedp.ListenTarget(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.hear("exception: " + e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			b.hear(fmt.Sprintf("console: %s %s", e.Type, e.Args[0].Value))
		case *log.EventEntryAdded:
			b.hear("log: " + e.Entry.Text)
		}
	})
	b.run(log.Enable())
	return b
}

func (b *browser) hear(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, what)
}

// heard is what the browser's console said since it was asked last.
func (b *browser) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.said
	b.said = nil
	return said
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits until something is so in a page.
func (b *browser) until(script string) {
	b.t.Helper()
	b.run(chromedp.Poll(script, nil, chromedp.WithPollingTimeout(patience)))
}

// as is how the browser looks at pages.
func (b *browser) as(width int, scheme string, script bool) {
	b.t.Helper()
	b.run(
		emulation.SetDeviceMetricsOverride(int64(width), 850, 1, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		emulation.SetScriptExecutionDisabled(!script),
	)
}

// signIn signs in as a person does.
func (b *browser) signIn(w *world, role string) {
	b.t.Helper()
	b.run(chromedp.Navigate(w.url+"/signin"), chromedp.SendKeys("#token", role, chromedp.ByID), chromedp.Submit("#token", chromedp.ByID), chromedp.WaitVisible(".bar-right", chromedp.ByQuery))
}

// ask runs a script in the page and gives the text that it returns.
func (b *browser) ask(script string) (text string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(script, &text))
	return text
}

// picture keeps what the page looks like, if somebody wants to see it.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshots)
	if dir == "" {
		return
	}
	var png []byte
	b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		_, _, size, _, _, _, err := page.GetLayoutMetrics().Do(ctx)
		if err != nil {
			return err
		}
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).WithClip(&page.Viewport{Width: size.Width, Height: min(size.Height, 2600), Scale: 1}).Do(ctx)
		return err
	}))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// tooWide lists what reaches over the right edge, but for what scrolls by itself.
const tooWide = `(() => {
	const width = document.documentElement.clientWidth, bad = [];
	if (document.documentElement.scrollWidth > width) bad.push('the page is ' + document.documentElement.scrollWidth + ' wide');
	for (const e of document.querySelectorAll('body *')) {
		const r = e.getBoundingClientRect();
		if (r.width > 0 && r.right > width + 1 && !e.closest('.scroll, svg, .hidden, .skip')) bad.push(e.tagName + '.' + e.className + ' ends at ' + Math.round(r.right));
	}
	return bad.slice(0, 5).join('; ');
})()`

// everyPage are the pages of a busy world, also of what somebody asked for.
func everyPage(w *world) map[string]string {
	_, plan, _ := w.signedIn("operator").send("/experiments/search-falls-back", "/experiments/search-falls-back/plan")
	return map[string]string{
		"plan": plan, "ask": "/experiments/search-falls-back/plan", "over": "/experiments/search-falls-back/plan/OLD",
		"experiment": "/experiments/search-falls-back", "never": "/experiments/never-ran", "removed": "/experiments/removed-lately", "run": "/runs/0af1", "file": "/experiments/search-falls-back/file", "file-run": "/runs/0af1/file", "run-going": "/runs/77aa01", "runs": "/runs", "calendar": "/calendar", "coverage": "/coverage", "proxies": "/proxies", "audit": "/audit", "now": "/", "experiments": "/experiments", "halt": "/halt", "nothing": "/no/such/page", "find": "/experiments?find=nothing-has-this",
	}
}

func TestEveryPageFitsEveryScreenAndBreaksNoPolicy(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "admin")
	for name, path := range everyPage(w) {
		for _, width := range []int{390, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				where := fmt.Sprintf("%s-%d-%s", name, width, scheme)
				b.as(width, scheme, true)
				b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
				if bad := b.ask(tooWide); bad != "" {
					t.Errorf("%s: %s", where, bad)
				}
				b.picture(where)
				for _, said := range b.heard() {
					if !(name == "nothing" && strings.Contains(said, "404") || name == "over" && strings.Contains(said, "410")) {
						t.Errorf("%s: the browser's console says %s", where, said)
					}
				}
			}
		}
	}
}

// violations runs axe-core in the page, and says what it finds.
func (b *browser) violations(axe string) string {
	b.t.Helper()
	b.run(chromedp.Evaluate(axe, nil))
	var found string
	b.run(chromedp.Evaluate(`axe.run({resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target).join(', ')).join('; '))`, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return found
}

func TestEveryPageCanBeUsedHoweverSomebodySeesOrMoves(t *testing.T) {
	file := os.Getenv("MISHAP_AXE")
	axe, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("SKIPPED: no axe-core in $MISHAP_AXE (%v), so nobody looked whether everybody can use the console; .ci/testbed gets it", err)
	}
	w, _ := withProvider(t)
	b := openBrowser(t)
	b.as(1280, "light", true)
	b.run(chromedp.Navigate(w.url + "/signin"))
	b.picture("signin")
	if bad := b.violations(string(axe)); bad != "" {
		t.Errorf("sign-in: %s", bad)
	}
	b.signIn(w, "admin")
	b.run(chromedp.Evaluate(`document.body.insertAdjacentHTML('beforeend', '<button></button>')`, nil))
	if bad := b.violations(string(axe)); !strings.Contains(bad, "button-name") {
		t.Fatalf("a button without a name is no violation: %q", bad)
	}
	for name, path := range everyPage(w) {
		for _, width := range []int{390, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				b.as(width, scheme, true)
				b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
				if bad := b.violations(string(axe)); bad != "" {
					t.Errorf("%s at %d, %s: %s", name, width, scheme, bad)
				}
			}
		}
	}
}

func TestEveryPageIsWholeWithoutScript(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "admin")
	b.as(1280, "light", true)
	text := `document.querySelector('main').innerText.replace(/\s+/g, ' ').replace(/\d+[smh]|\d\d:\d\d:\d\d|in \d+m|due/g, '')`
	for name, path := range everyPage(w) {
		b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
		whole := len(b.ask(text))
		b.as(1280, "light", false)
		b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
		b.as(1280, "light", true)
		if without := len(b.ask(text)); without < whole*9/10 || whole == 0 {
			t.Errorf("%s: %d letters without a script, %d with", name, without, whole)
		}
	}
}

func TestAPageFollowsWhatHappensAndSaysSinceWhenItKnowsNothing(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "operator")
	b.run(chromedp.WaitVisible("#run-77aa01", chromedp.ByQuery), chromedp.Click("#run-77aa02 summary", chromedp.ByQuery), chromedp.SendKeys("#why-77aa02", "too slow", chromedp.ByID))
	w.ran("77aa03", until(reporttest.Stories()["holding"], mishap.Holding, 1), "never-ran", time.Second)
	b.run(chromedp.WaitVisible("#run-77aa03", chromedp.ByQuery))
	if typed := b.ask(`document.querySelector('#why-77aa02').value + (document.activeElement.id)`); typed != "too slowwhy-77aa02" {
		t.Errorf("what was typed, and where, became %q", typed)
	}
	if err := w.book.Halt(t.Context(), ledger.Halt{By: "bob", Reason: "an incident", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.happens()
	b.run(chromedp.WaitVisible(".pill.halted", chromedp.ByQuery))
	if says := b.ask(`document.querySelector('#halted').innerText`); !strings.Contains(says, "Everything is halted by bob") {
		t.Errorf("of somebody else's halt it says %q", says)
	}
	w.server.Listener.Close()
	w.server.CloseClientConnections()
	b.run(chromedp.WaitVisible("#gone", chromedp.ByID))
	says, now := b.ask(`document.querySelector('#gone').textContent`), time.Now().UTC()
	if since := "has not answered since "; !strings.Contains(says, since+now.Format("15")) && !strings.Contains(says, since+now.Add(-patience).Format("15")) {
		t.Errorf("it says %q", says)
	}
}

func TestWhatSomebodyAskedForStaysWhileItsPageFollowsAndWhenItIsLoadedAgain(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.as(1280, "light", true)
	b.signIn(w, "operator")
	b.run(chromedp.Navigate(w.url+"/experiments/search-falls-back"), chromedp.Click("form[action$='/plan'] button", chromedp.ByQuery), chromedp.WaitVisible(".sheet", chromedp.ByQuery))
	at := b.ask(`location.pathname`)
	key := `document.querySelector("input[name='key']").value`
	had := b.ask(key)
	before := b.ask(`document.querySelector('#asof').dateTime`)
	w.happens()
	b.until(`document.querySelector('#asof').dateTime !== "` + before + `"`)
	if b.ask(key) != had || b.ask(`String(document.querySelectorAll('.sheet').length > 3)`) != "true" {
		t.Error("a page that follows what happens has lost what was asked for, or the key of its form")
	}
	b.run(chromedp.Reload(), chromedp.WaitVisible(".sheet", chromedp.ByQuery))
	if !strings.HasPrefix(at, "/experiments/search-falls-back/plan/") || b.ask(`location.pathname`) != at || b.ask(key) == had {
		t.Errorf("loaded again, %s is %s, with the key of before", at, b.ask(`location.pathname`))
	}
	for _, said := range b.heard() {
		t.Errorf("the browser's console says %s", said)
	}
}

func TestAPageOfAnExperimentSaysByItselfThatItWasRemoved(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.as(1280, "light", true)
	b.signIn(w, "operator")
	for name, says := range map[string]string{"search-falls-back": "No source has this experiment in force any more", "never-ran": "No source has an experiment never-ran in force"} {
		b.run(chromedp.Navigate(w.url+"/experiments/"+name), chromedp.WaitVisible("form[action$='/plan']", chromedp.ByQuery))
		was := w.Experiments()
		w.only(slices.DeleteFunc(w.Experiments(), func(e api.ExperimentView) bool { return e.Name == name })...)
		b.until(`document.querySelector('main').innerText.includes("` + says + `")`)
		if b.ask(`String(document.querySelector("form[action$='/plan'], form[action$='/run']"))`) != "null" {
			t.Errorf("%s was removed and is offered to be run", name)
		}
		w.only(was...)
		b.run(chromedp.WaitVisible("form[action$='/plan']", chromedp.ByQuery))
	}
}

func TestAPageThatStaysOpenBreaksNoPolicyHoweverOftenItAsksAnew(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.as(1280, "light", true)
	b.signIn(w, "viewer")
	b.run(chromedp.Navigate(w.url+"/runs/77aa01"), chromedp.WaitReady("footer", chromedp.ByQuery))
	if b.ask(`String(document.querySelectorAll('head style').length)`) != "1" {
		t.Fatal("the page has no style of its own, so this looks at nothing")
	}
	places := `[...document.querySelectorAll('span[data-left]')].map(e => e.dataset.left + '=' + e.style.left).join()`
	for range 3 {
		before := b.ask(`document.querySelector('#asof').dateTime`)
		w.happens()
		b.until(`document.querySelector('#asof').dateTime !== "` + before + `"`)
	}
	for _, said := range b.heard() {
		t.Errorf("the browser's console says %s", said)
	}
	at := b.ask(places)
	for one := range strings.SplitSeq(at, ",") {
		if wants, is, _ := strings.Cut(one, "="); wants+"%" != is && wants+"0%" != is {
			t.Errorf("what belongs at %s%% stands at %q", wants, is)
		}
	}
}

func TestARunIsAbortedAndEverythingHaltedByKeyboardAlone(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "operator")
	b.run(chromedp.Navigate(w.url + "/"))
	if at := b.tabTo("A.button"); at != "Halt…" {
		t.Fatalf("the first button is %q", at)
	}
	b.run(chromedp.KeyEvent("\r"), chromedp.WaitVisible("#reason", chromedp.ByID))
	b.tabTo("INPUT")
	b.run(chromedp.KeyEvent("incident 4711\r"), chromedp.WaitVisible(".said", chromedp.ByQuery))
	if says := b.ask(`document.querySelector('.said').innerText`); !strings.Contains(says, "Halted.") {
		t.Errorf("it says %q", says)
	}
	if h, _ := w.book.Halted(t.Context()); h == nil || h.Reason != "incident 4711" {
		t.Errorf("halted: %+v", h)
	}
}

// tabTo presses the key Tab until something of a kind has the focus, and gives its text.
func (b *browser) tabTo(kind string) string {
	b.t.Helper()
	for range 60 {
		b.run(chromedp.KeyEvent("\t"))
		if b.ask(`(e => e.matches('`+strings.ToLower(kind)+`') && !e.matches('.skip') ? 'yes' : '')(document.activeElement)`) == "yes" {
			return b.ask(`document.activeElement.innerText`)
		}
	}
	b.t.Fatalf("no %s gets the focus", kind)
	return ""
}
