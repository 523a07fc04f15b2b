package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"mishap/internal/ledger"
)

// printed lists what paper should not have, and lacks.
const printed = `(() => {
	const bad = [], shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility === 'visible';
	for (const e of document.querySelectorAll('nav, button, input, .button, .bar, .menu, form, .find')) if (shown(e) && e.closest('.contents') === null) bad.push(e.tagName + '.' + e.className + ' is printed');
	for (const e of document.querySelectorAll('.scroll')) if (shown(e) && e.scrollWidth > e.clientWidth + 1) bad.push('what scrolls is cut: ' + e.getAttribute('aria-label'));
	const ground = getComputedStyle(document.body).color.match(/\d+/g).slice(0, 3).map(Number);
	if (Math.max(...ground) > 90) bad.push('it is written in ' + ground);
	if (!document.querySelector('h1') || document.querySelector('main').innerText.trim().length < 20) bad.push('there is nothing on it');
	return bad.slice(0, 6).join('; ');
})()`

// mostSheets is how many sheets of paper the page of a run takes.
const mostSheets = 3

func TestEveryPageCanBePrinted(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "admin")
	const paper = 718 // pixels, of A4 within usual margins
	for name, path := range everyPage(w) {
		b.as(1280, "dark", true) // as somebody looks who then prints
		b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
		var pdf []byte
		b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
			pdf, _, err = page.PrintToPDF().WithPaperWidth(8.27).WithPaperHeight(11.69).Do(ctx)
			return err
		}))
		sheets := len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(pdf, -1))
		if sheets < 1 || strings.HasPrefix(name, "run") && name != "runs" && sheets > mostSheets {
			t.Errorf("%s: %d sheets of paper", name, sheets)
		}
		if dir := os.Getenv(screenshots); dir != "" {
			_ = os.WriteFile(filepath.Join(dir, name+".pdf"), pdf, 0o644)
		}
		b.run(emulation.SetDeviceMetricsOverride(paper, 1000, 1, false), emulation.SetEmulatedMedia().WithMedia("print"))
		if bad := b.ask(printed) + b.ask(tooWide); bad != "" {
			t.Errorf("%s: %s", name, bad)
		}
		b.picture("print-" + name)
		b.run(emulation.SetEmulatedMedia().WithMedia(""))
	}
}

// wrongClock makes a browser's clock wrong by so many hours.
func (b *browser) wrongClock(hours int) {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(fmt.Sprintf(`{
			const Right = Date, off = %d * 3600e3;
			globalThis.Date = class extends Right {
				constructor(...given) { given.length ? super(...given) : super(Right.now() + off); }
				static now() { return Right.now() + off; }
			};
		}`, hours)).Do(ctx)
		return err
	}))
}

func TestABrowserWhoseClockIsWrongCountsRight(t *testing.T) {
	for _, hours := range []int{-9, 9} {
		w := busy(t)
		b := openBrowser(t)
		b.wrongClock(hours)
		b.signIn(w, "viewer")
		b.run(chromedp.Navigate(w.url+"/"), chromedp.WaitVisible("time[data-due]", chromedp.ByQuery))
		if off := b.ask(`String(Math.round((Date.now() - ` + fmt.Sprint(time.Now().UnixMilli()) + `) / 3600e3))`); off != fmt.Sprint(hours) {
			t.Fatalf("the browser's clock is off by %s hours", off)
		}
		for range 2 { // as it was loaded, and as it follows
			b.until(`/^in \d/.test(document.querySelector('time[data-due]').textContent)`)
			due, err := time.Parse(time.RFC3339, b.ask(`document.querySelector('time[data-due]').dateTime`))
			if err != nil {
				t.Fatal(err)
			}
			says := b.ask(`document.querySelector('time[data-due]').textContent`)
			left, err := time.ParseDuration(strings.ReplaceAll(strings.TrimPrefix(says, "in "), " ", ""))
			if err != nil || (left-time.Until(due)).Abs() > 2*time.Minute { // far less than hours
				t.Errorf("%d hours off: it says %q of what is due at %s", hours, says, due)
			}
			if since := b.ask(`document.querySelector('[data-since]').textContent`); strings.Contains(since, "h ") {
				t.Errorf("%d hours off: it says %q of what began a minute ago", hours, since)
			}
			before := b.ask(`document.querySelector('#asof').dateTime`)
			w.happens()
			b.until(`document.querySelector('#asof').dateTime !== "` + before + `"`)
		}
		gone := time.Now().UTC()
		w.server.Listener.Close()
		w.server.CloseClientConnections()
		b.run(chromedp.WaitVisible("#gone", chromedp.ByID))
		says := regexp.MustCompile(`\d\d:\d\d:\d\d`).FindString(b.ask(`document.querySelector('#gone').textContent`))
		at, err := time.Parse(time.DateTime, gone.Format(time.DateOnly)+" "+says)
		if off := at.Sub(gone).Abs() % (24 * time.Hour); err != nil || off > 2*time.Minute && off < 24*time.Hour-2*time.Minute {
			t.Errorf("%d hours off: the server is gone since %s, and was at %s", hours, says, gone.Format(time.TimeOnly))
		}
	}
}

// press gives what the keyboard gives.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

func TestARunIsAbortedByKeyboardAlone(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.as(1280, "light", true)
	b.signIn(w, "operator")
	b.run(chromedp.Navigate(w.url+"/"), chromedp.WaitVisible("#run-77aa01", chromedp.ByQuery))
	for at := ""; at != "run-77aa01"; {
		if says := b.tabTo(".act > summary"); says != "Abort…" {
			t.Fatalf("it says %q", says)
		}
		at = b.ask(`document.activeElement.closest('.run').id`)
	}
	if b.ask(`getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		t.Error("nobody sees where the focus is")
	}
	b.press("\r")
	b.run(chromedp.WaitVisible("#why-77aa01", chromedp.ByID))
	if b.ask(`getComputedStyle(document.querySelector('#run-77aa01')).contentVisibility`) != "visible" {
		t.Error("what opened is cut where its card ends")
	}
	b.press("\x1b")
	if b.ask(`String(document.querySelector('.act[open]'))+document.activeElement.tagName`) != "nullSUMMARY" {
		t.Error("Escape does not lead back")
	}
	b.press("\r")
	b.tabTo("input#why-77aa01")
	b.run(chromedp.KeyEvent("too slow\r"), chromedp.WaitVisible(".said", chromedp.ByQuery))
	acts, err := w.book.Audit(t.Context(), 0, 1<<62, 10)
	if err != nil || len(acts) == 0 || !hasAct(acts, "operator-ann", "in the console: abort run") {
		t.Errorf("nobody aborted: %+v, %v", acts, err)
	}
}

func hasAct(acts []ledger.Act, by, what string) bool {
	for _, a := range acts {
		if a.By == by && strings.HasPrefix(a.What, what) {
			return true
		}
	}
	return false
}

func TestOnAPhonesWidthPagesAreReachedByKeyboardAloneWithAndWithoutScript(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "operator")
	for _, script := range []bool{true, false} {
		b.as(390, "light", script)
		b.run(chromedp.Navigate(w.url+"/runs"), chromedp.WaitReady("footer", chromedp.ByQuery))
		b.as(390, "light", true) // so that the page can be asked; what it has loaded stays
		b.tabTo(".pages > summary")
		b.press("\r")
		for range 4 { // Now, Experiments, Runs, Calendar
			b.tabTo(".pages a")
		}
		b.press("\r")
		b.run(chromedp.WaitVisible("#days", chromedp.ByID))
	}
}
