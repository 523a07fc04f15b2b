package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/report/reporttest"
)

// tooSmall lists what a finger misses: buttons, fields and what opens are at least 44
// pixels high and wide, a link that stands alone at least 24.
const tooSmall = `(() => {
	const bad = [], seen = e => e.getClientRects().length > 0 && !e.closest('.hidden, .skip') && (!e.closest('details:not([open])') || e.closest('summary'));
	const say = (e, r) => bad.push(e.tagName + '.' + e.className + ' “' + (e.innerText || e.name || '').slice(0, 30) + '” is ' + Math.round(r.width) + '×' + Math.round(r.height));
	for (const e of document.querySelectorAll('button, summary, input:not([type=hidden], [type=checkbox]), label.check, .button, .pill, .menu a, .pages a, .brand')) {
		const r = e.getBoundingClientRect();
		if (seen(e) && (r.height < 43.5 || r.width < 43.5)) say(e, r);
	}
	const alone = e => ![...e.parentNode.childNodes].some(n => n !== e && n.textContent.trim() !== '');
	for (const e of document.querySelectorAll('a')) {
		const r = e.getBoundingClientRect();
		if (seen(e) && alone(e) && r.height < 23.5) say(e, r);
	}
	return bad.slice(0, 6).join('; ');
})()`

// cut lists text of which not all can be read, but for what has an ellipsis, and what
// stands at the very edge of the screen.
const cut = `(() => {
	const bad = [], width = document.documentElement.clientWidth;
	for (const e of document.querySelectorAll('body *')) {
		if (getComputedStyle(e).textOverflow === 'ellipsis') continue;
		if (!e.getClientRects().length || e.closest('.hidden, .skip, svg, .clamp, .clamp3') || e.closest('details:not([open])') && !e.closest('summary')) continue;
		const style = getComputedStyle(e), r = e.getBoundingClientRect(), hidden = style.clipPath !== 'none', text = [...e.childNodes].some(n => n.nodeType === 3 && n.nodeValue.trim());
		if (hidden) continue;
		if (style.overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1 && !(style.overflowX === 'auto' && e.tabIndex === 0)) bad.push(e.tagName + '.' + e.className + ' is cut at its side');
		if (['hidden', 'clip'].includes(style.overflowY) && e.scrollHeight > e.clientHeight + 1) bad.push(e.tagName + '.' + e.className + ' is cut at its bottom');
		if (text && !e.closest('.scroll') && (r.right > width - 8 || r.left < 8)) bad.push(e.tagName + '.' + e.className + ' “' + e.innerText.slice(0, 20) + '” reaches the edge');
	}
	return bad.slice(0, 6).join('; ');
})()`

func TestOnAPhoneAFingerHitsEverythingAndNothingIsCut(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "admin")
	b.run(chromedp.Evaluate(`{
		const small = document.createElement('button'), narrow = document.createElement('div'); // the policy lets in no style that is written
		small.textContent = 'x', small.style.height = '20px', narrow.textContent = 'cut in the middle';
		Object.assign(narrow.style, { overflow: 'hidden', width: '20px', whiteSpace: 'nowrap' });
		document.querySelector('main').append(small, narrow);
	}`, nil))
	if b.ask(tooSmall) == "" || b.ask(cut) == "" {
		t.Fatal("a small button and a cut word are not found")
	}
	for name, path := range everyPage(w) {
		for _, width := range []int{320, 390, 768} {
			b.as(width, "light", true)
			b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
			where := fmt.Sprintf("%s at %d", name, width)
			if bad := b.ask(tooWide); bad != "" {
				t.Errorf("%s: too wide: %s", where, bad)
			}
			if bad := b.ask(cut); bad != "" {
				t.Errorf("%s: %s", where, bad)
			}
			if bad := b.ask(tooSmall); bad != "" {
				t.Errorf("%s: too small: %s", where, bad)
			}
		}
	}
	b.run(chromedp.Click(".pages > summary", chromedp.ByQuery), chromedp.WaitVisible(".pages a", chromedp.ByQuery))
	if bad := b.ask(tooWide) + b.ask(tooSmall); bad != "" {
		t.Errorf("with the list of pages open: %s", bad)
	}
	b.run(chromedp.Click(".pages a[href='/coverage']", chromedp.ByQuery), chromedp.WaitVisible("#matrix", chromedp.ByID))
}

// unreachable opens each act in turn, and lists those whose form is not wholly on the
// screen, or whose button something else lies upon.
const unreachable = `(() => {
	const bad = [], width = document.documentElement.clientWidth;
	for (const d of document.querySelectorAll('details.act')) {
		d.open = true;
		const form = d.querySelector('form'), button = form.querySelector('button'), r = form.getBoundingClientRect();
		if (r.left < 0 || r.right > width) bad.push('“' + d.innerText.slice(0, 20) + '” opens from ' + Math.round(r.left) + ' to ' + Math.round(r.right));
		button.scrollIntoView({ block: 'center' });
		const at = button.getBoundingClientRect();
		if (document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2) !== button) bad.push('“' + button.innerText + '” cannot be pressed');
		d.open = false;
	}
	return bad.join('; ');
})()`

func TestWhatAnActOpensIsWhollyOnTheScreenAndCanBePressed(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "admin")
	opened := 0
	for name, path := range everyPage(w) {
		for _, width := range []int{320, 390, 768, 1280} {
			b.as(width, "light", true)
			b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
			if bad := b.ask(unreachable); bad != "" {
				t.Errorf("%s at %d: %s", name, width, bad)
			}
			if b.ask("String(document.querySelector('details.act') !== null)") == "true" {
				opened++
			}
		}
	}
	if opened == 0 {
		t.Error("no page has an act that opens")
	}
}

func TestOnAWideScreenNothingIsCut(t *testing.T) {
	w := busy(t)
	b := openBrowser(t)
	b.signIn(w, "admin")
	for name, path := range everyPage(w) {
		for _, width := range []int{769, 1920} {
			b.as(width, "light", true)
			b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
			if bad := b.ask(tooWide) + b.ask(cut); bad != "" {
				t.Errorf("%s at %d: %s", name, width, bad)
			}
		}
	}
}

// hostile is a world whose every text that somebody may write is markup, very long, or
// written from right to left.
func hostile(t *testing.T, text string) *world {
	w := newWorld(t)
	w.declare(func(e *mishap.Experiment) {
		e.Name, e.Claim, e.Owner, e.Tags = "named", text, text, map[string]string{"service": text, text: text}
		e.Impacts = []mishap.Impact{{What: text}}
		e.Faults[0].Name, e.Source.Path, e.Source.Dirty = text, text+".yaml", false
	})
	at := w.Experiments()[0].Source
	w.keep(at.Commit, at.Path, text+"\n  "+text+"\n")
	w.ran("aa02", reporttest.Stories()["deviated"], "named", time.Hour)
	w.ran("aa01", until(reporttest.Attacked(t), mishap.Holding, 5), "named", time.Second)
	if err := w.book.Record(t.Context(), ledger.Act{At: time.Now(), By: text, What: text}); err != nil {
		t.Fatal(err)
	}
	if err := w.book.Halt(t.Context(), ledger.Halt{At: time.Now(), By: text, Reason: text}); err != nil {
		t.Fatal(err)
	}
	if err := w.book.Looked(t.Context(), ledger.SourceState{Name: "shop", Looked: time.Now(), Problem: text}); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNoTextBreaksAPageWhateverItIs(t *testing.T) {
	b := openBrowser(t)
	for name, text := range map[string]string{
		"markup":           `</script></style><b>"><img src=x onerror=alert(1)>` + "\u202e\x1b[31m",
		"5,000 characters": strings.Repeat("x", 5000),
		"right to left":    strings.Repeat("الدفع يتأخر ", 60),
	} {
		w := hostile(t, text)
		b.signIn(w, "admin")
		b.heard() // of its field that has the focus by itself
		for _, path := range []string{"/", "/experiments", "/experiments/named", "/experiments/named/file", "/runs", "/runs/aa01", "/runs/aa01/file", "/runs/aa02", "/calendar", "/coverage", "/audit", "/halt"} {
			for _, width := range []int{390, 1280} {
				b.as(width, "dark", true)
				b.run(chromedp.Navigate(w.url+path), chromedp.WaitReady("footer", chromedp.ByQuery))
				if bad := b.ask(tooWide) + b.ask(cut); bad != "" {
					t.Errorf("%s, %s at %d: %s", name, path, width, bad)
				}
				b.picture(fmt.Sprintf("hostile-%s-%s-%d", strings.ReplaceAll(name, " ", "-"), strings.ReplaceAll(path[1:], "/", "-"), width))
				if b.ask(`String(document.querySelectorAll('main img, main b, [style]').length)`) != "0" && !strings.HasPrefix(path, "/runs/") {
					t.Errorf("%s, %s: markup is markup", name, path)
				}
			}
		}
		for _, said := range b.heard() {
			t.Errorf("%s: the browser's console says %s", name, said)
		}
	}
}
