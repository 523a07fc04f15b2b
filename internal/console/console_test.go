package console_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/httpapi/apitest"
	"mishap/internal/ledger"
	"mishap/internal/proxy"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

// busy is a world with something of everything.
func busy(t *testing.T) *world {
	w := newWorld(t)
	w.settings.Proxies = []config.Proxy{{Name: "payments", Listen: "127.0.0.1:9001", Upstream: "127.0.0.1:9000", Protocol: "http", Control: "/nobody/listens"}, {Name: "redis", Listen: "127.0.0.1:9002", Upstream: "127.0.0.1:6379", Protocol: "tcp", Control: "/nobody/listens"}}
	stories := reporttest.Stories()
	for _, name := range []string{"checkout-survives-slow-payments", "search-falls-back", "cart-keeps-its-items", "never-ran"} {
		w.declare(func(e *mishap.Experiment) {
			e.Source.Dirty = false
			if name == "search-falls-back" {
				e.Source.Commit = strings.Repeat("b", 40)
			}
			e.Name, e.Tags = name, map[string]string{"service": strings.Split(name, "-")[0], "tier": "1"}
			if name == "checkout-survives-slow-payments" {
				e.Faults[0].Targets = []byte(`{"proxy": "payments"}`)
				e.Compare = &mishap.Compare{Metrics: []mishap.CompareMetric{{Metric: mishap.SuccessRate, Margin: mishap.Margin{Difference: .005}}}}
			}
		})
	}
	for i, story := range []string{"held", "held", "refused", "no-effect", "held", "deviated", "held"} {
		w.ran("0a"+string(rune('a'+i))+"1", stories[story], "search-falls-back", time.Duration(8-i)*26*time.Hour)
	}
	w.ran("0b11", stories["crash-resumed"], "cart-keeps-its-items", 49*time.Hour)
	if err := w.book.Record(t.Context(), ledger.Act{At: time.Now(), By: "alice", What: "unlock cart-keeps-its-items: mended"}); err != nil {
		t.Fatal(err)
	}
	w.ran("0b22", reporttest.JudgedRuns()["deviated"].Journal(t), "removed-lately", 30*time.Hour)
	at := fileAt()
	was := "version: 1\nname: search-falls-back\nclaim: Customers can still check out when payments answers 300 ms late and one of the workers hangs.\nfaults:\n  - name: payments is slow\n    injector: proxy-latency\n    targets: {proxy: payments}\n    with: {delay: 300ms}\n    for: 15m\n"
	w.keep(at.Commit, at.Path, was)
	w.keep(strings.Repeat("b", 40), at.Path, strings.Replace(was, "300ms", "500ms", 1))
	w.ran("77aa01", until(reporttest.JudgedRuns()["held"].Journal(t), mishap.Holding, 60), "checkout-survives-slow-payments", time.Second)
	w.ran("77aa02", stories["holding"], "cart-keeps-its-items", 20*time.Second)
	return w
}

func TestNowShowsWhatGoesOnAndWhatEndsIt(t *testing.T) {
	w := busy(t)
	_, _, page := w.signedIn("viewer").get("/")
	for _, want := range []string{
		"2 runs", "checkout-survives-slow-payments", "holding", "payments is slow", "in force", "the proxy: it expires there when nobody renews it",
		"control, left alone", "margin", "a basket can be paid", "Customers can still check out",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(page, "Abort…") {
		t.Error("a viewer is offered to abort")
	}
}

func TestABrokenSourceIsSaidWithWhatStaysAndWhereTheProblemIs(t *testing.T) {
	w := busy(t)
	if _, err := w.book.Publish(t.Context(), ledger.Revision{Source: "shop", Commit: "0123456789abcdef0123", At: time.Now()}, 0); err != nil {
		t.Fatal(err)
	}
	problem := "chaos/bad.yaml:1:9: name must be <b>lower</b>\n      1 | name: A\nchaos/other.yaml:7:1: claim is missing"
	for _, src := range []ledger.SourceState{{Name: "shop", Looked: time.Now(), Problem: problem}, {Name: "good", Looked: time.Now()}, {Name: "cart", Looked: time.Now(), Holds: "a program is missing"}} {
		if err := w.book.Looked(t.Context(), src); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{"/", "/experiments", "/experiments?find=nothing-has-this"} {
		_, _, page := w.signedIn("viewer").get(at)
		for _, want := range []string{"Source shop is broken.", "Commit 0123456789ab stays in force", "<li>chaos/bad.yaml:1:9: name must be &lt;b&gt;lower", "<li>chaos/other.yaml:7:1: claim is missing", "Source cart is held back.", "Nothing of it runs: A program is missing"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not say %q", at, want)
			}
		}
		if strings.Contains(page, "Source good") || strings.Contains(page, "1 | name") {
			t.Errorf("%s says more", at)
		}
	}
}

func TestOnlyWhoSignsInSeesAnything(t *testing.T) {
	w := busy(t)
	p := w.person()
	if _, at, page := p.get("/experiments?find=cart"); at != "/signin?next=%2Fexperiments%3Ffind%3Dcart" || strings.Contains(page, "cart-keeps") {
		t.Errorf("a stranger is at %s", at)
	}
	if status, _, page := p.post("/signin", "token", "wrong"); status != http.StatusUnauthorized || !strings.Contains(page, "The token is not known") {
		t.Errorf("%d %s", status, page)
	}
	if _, at, page := p.post("/signin", "token", "viewer", "next", "/experiments?find=cart"); at != "/experiments?find=cart" || !strings.Contains(page, "cart-keeps-its-items") {
		t.Errorf("after signing in: %s", at)
	}
	if _, at, page := p.send("/", "/signout"); !strings.HasPrefix(at, "/signin") || !strings.Contains(page, "You are signed out.") {
		t.Errorf("after signing out: %s", at)
	}
	if _, at, _ := p.get("/"); !strings.HasPrefix(at, "/signin") {
		t.Errorf("after signing out: %s", at)
	}
}

func TestASignInLeadsToNoOtherSite(t *testing.T) {
	w := newWorld(t)
	for _, next := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example"} {
		p := w.person()
		if _, at, _ := p.post("/signin", "token", "viewer", "next", next); at != "/" {
			t.Errorf("%q leads to %s", next, at)
		}
	}
}

func TestTheCookieIsKeptFromScriptsAndOtherSites(t *testing.T) {
	w := newWorld(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.PostForm(w.url+"/signin", url.Values{"token": {"viewer"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	k := r.Cookies()[0]
	if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" || strings.Contains(k.Value, "viewer") || len(k.Value) < 20 {
		t.Errorf("%+v", k)
	}
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
}

// A link of another site takes no strict cookie along, one of the console's own does.
func TestALinkFromElsewhereKeepsWhoIsSignedIn(t *testing.T) {
	w := busy(t)
	r, err := http.NewRequest(http.MethodGet, w.url+`/experiments?find="><b>`, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	status, _, page := w.person().got(http.DefaultClient.Do(r))
	if status != http.StatusOK || !strings.Contains(page, `content="0;url=/experiments?find=`) || strings.Contains(page, "<b>") {
		t.Errorf("%d %s", status, page)
	}
}

func TestAnActNeedsTheFormOfItsSession(t *testing.T) {
	w := busy(t)
	other := w.signedIn("operator")
	_, _, page := other.get("/halt")
	if !strings.Contains(page, "data-follow") {
		t.Error("a page does not follow what happens")
	}
	foreign := csrf.FindStringSubmatch(page)[1]
	p := w.signedIn("operator")
	for name, token := range map[string]string{"none": "", "made up": "x", "of another session": foreign} {
		if status, _, page := p.post("/halt", "reason", "test", "csrf", token); status != http.StatusForbidden || !strings.Contains(page, "not one that you were shown") || strings.Contains(page, "data-follow") {
			t.Errorf("with a token that is %s: %d; what is at its address is another page, which the script must not ask for", name, status)
		}
	}
	r, err := http.NewRequest(http.MethodPost, w.url+"/signin", strings.NewReader("token=viewer"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.example")
	if status, _, _ := p.got(p.Do(r)); status != http.StatusForbidden {
		t.Errorf("another site signs somebody in: %d", status)
	}
	if h, _ := w.book.Halted(t.Context()); h != nil {
		t.Fatal("it halted")
	}
	if _, _, page := p.send("/halt", "/halt", "reason", ""); !strings.Contains(page, "Nothing was done") {
		t.Error("it halts without a reason")
	}
	if _, _, page := p.send("/halt", "/halt", "reason", "a <b>test</b>"); !strings.Contains(page, "Halted.") || !strings.Contains(page, "a &lt;b&gt;test") {
		t.Errorf("%s", page)
	}
	if h, _ := w.book.Halted(t.Context()); h == nil || h.By != "operator-ann" || h.Reason != "a <b>test</b>" {
		t.Errorf("halted by %+v", h)
	}
}

func TestListsOfRunsSayWhoBeganEach(t *testing.T) {
	w := newWorld(t)
	for id, trigger := range map[string]mishap.Trigger{
		"0a1": {Kind: mishap.TriggerAPI, By: "ann <b>"}, "0a2": {Kind: mishap.TriggerSchedule}, "0a3": {Kind: mishap.TriggerAPI}, "0a4": {Kind: mishap.TriggerHand},
	} {
		s := reporttest.Stories()["held"]
		s.Entries[0].Trigger = &trigger
		w.ran(id, s, "of-"+id, time.Hour)
	}
	missed := reporttest.Tell(reporttest.CheckoutPlan()).State(mishap.Refused, mishap.CauseMissed, "nobody served it when it was due")
	w.ran("0a5", missed, "of-0a5", time.Hour)
	p := w.signedIn("viewer")
	if _, _, page := p.get("/runs?experiment=of-0a5"); !strings.Contains(strings.ToLower(page), "missed") || strings.Contains(strings.ToLower(page), ">refused") {
		t.Errorf("what nobody served is listed as %s", page)
	}
	for _, path := range []string{"/", "/runs"} {
		_, _, page := p.get(path)
		for _, want := range []string{"Run 0a1, begun by ann &lt;b&gt;.", "Run 0a2, begun on schedule.", "Run 0a3, begun through the API.", "Run 0a4, begun by hand."} {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
}

func TestNowInvitesToNoRunWhileEverythingIsHalted(t *testing.T) {
	for _, halted := range []bool{false, true} {
		w := newWorld(t)
		if halted {
			if err := w.book.Halt(t.Context(), ledger.Halt{At: time.Now(), By: "ann", Reason: "an incident"}); err != nil {
				t.Fatal(err)
			}
		}
		_, _, page := w.signedIn("operator").get("/")
		if !strings.Contains(page, "Nothing is running") || strings.Contains(page, "Start one from") == halted {
			t.Errorf("halted %t: %s", halted, page)
		}
	}
}

func TestEachRoleHasItsButtonsAndTheAPIDecidesAgain(t *testing.T) {
	w := busy(t)
	for _, c := range []struct {
		role          string
		halts, aborts bool
	}{{"viewer", false, false}, {"operator", true, true}, {"approver", true, true}, {"admin", true, true}} {
		p := w.signedIn(c.role)
		_, _, halt := p.get("/halt")
		_, _, now := p.get("/")
		if got := strings.Contains(halt, `action="/halt"`); got != c.halts {
			t.Errorf("%s is offered to halt: %v", c.role, got)
		}
		if got := strings.Contains(now, `action="/runs/77aa01/abort"`); got != c.aborts {
			t.Errorf("%s is offered to abort: %v", c.role, got)
		}
	}
	p := w.signedIn("viewer")
	_, _, page := p.get("/") // the form to sign out has the token too
	token := csrf.FindStringSubmatch(page)[1]
	for _, path := range []string{"/halt", "/resume", "/runs/77aa01/abort"} {
		if _, _, page := p.post(path, "csrf", token, "reason", "test", "sure", "yes"); !strings.Contains(page, "viewer-ann may not do this: it needs role") {
			t.Errorf("%s by a viewer: %s", path, page)
		}
	}
	if h, _ := w.book.Halted(t.Context()); h != nil {
		t.Error("a viewer halted")
	}
}

func TestAReasonThatIsTooLongIsSaidAndHaltsAllTheSame(t *testing.T) {
	w := busy(t)
	p := w.signedIn("admin")
	long := strings.Repeat("ü", 1234)
	for page, act := range map[string]string{"/": "/runs/77aa01/abort", "/experiments/search-falls-back": "/experiments/search-falls-back/unlock"} {
		if _, _, says := p.send(page, act, "reason", long); !strings.Contains(says, "at most 1,000 characters, and this one has 1,234") {
			t.Errorf("%s does not say what is wrong", act)
		}
	}
	if _, _, says := p.get("/experiments?find=" + strings.Repeat("x", 201)); !strings.Contains(says, "find has at most 200 characters") {
		t.Errorf("of what the API refuses it says %s", says)
	}
	if _, _, says := p.send("/halt", "/halt", "reason", long); !strings.Contains(says, "Halted.") || !strings.Contains(says, "was shortened to 1,000 characters") {
		t.Error("it does not say that it halted with a shorter reason")
	}
	if h, _ := w.book.Halted(t.Context()); h == nil || h.Reason != strings.Repeat("ü", 999)+"…" {
		t.Errorf("halted: %+v", h)
	}
}

func TestASecondHaltIsToldWhoseStandsAndIsInTheAudit(t *testing.T) {
	w := busy(t)
	second := w.signedIn("approver")
	_, _, open := second.get("/halt")
	w.signedIn("operator").send("/halt", "/halt", "reason", "the first")
	if _, _, says := second.post("/halt", "reason", "the second", "csrf", csrf.FindStringSubmatch(open)[1]); !strings.Contains(says, "operator-ann had halted already, at 20") || !strings.Contains(says, "Your reason is in the audit") || strings.Contains(says, "no run to stop") {
		t.Error("it does not say whose halt there is")
	}
	if _, _, audit := w.signedIn("admin").get("/audit"); strings.Count(audit, ">in the console: halt: the second<") != 1 || strings.Count(audit, ">in the console: halt") != 2 {
		t.Errorf("two halts have not a line each in the audit: %s", audit)
	}
}

func TestNextTimesAreNotPromisedWhileSomethingStandsAgainstThem(t *testing.T) {
	w := busy(t)
	p := w.signedIn("viewer")
	next := func(name string) string {
		_, _, page := p.get("/experiments/" + name)
		_, rest, _ := strings.Cut(page, "<dt>Next time</dt><dd>")
		said, _, _ := strings.Cut(rest, "</dd>")
		return said
	}
	if said := next("never-ran"); !strings.HasPrefix(said, "<time") {
		t.Errorf("of an experiment that nothing stands against it says %s", said)
	}
	if said := next("search-falls-back"); !strings.HasPrefix(said, "none until it is unlocked") {
		t.Errorf("of a locked one it says %s", said)
	}
	if err := w.book.Halt(t.Context(), ledger.Halt{By: "bob", Reason: "an incident", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if said := next("cart-keeps-its-items"); !strings.HasPrefix(said, "none while everything is halted") {
		t.Errorf("while everything is halted it says %s", said)
	}
	if _, _, page := p.get("/experiments"); strings.Contains(page, "<span>next <time") {
		t.Error("the list promises next times while everything is halted")
	}
}

func TestOnlyWhoIsSureResumes(t *testing.T) {
	w := busy(t)
	p := w.signedIn("admin")
	p.send("/halt", "/halt", "reason", "test")
	if _, at, says := p.send("/halt", "/resume"); at != "/halt" || !strings.Contains(says, "tick that you are sure") {
		t.Errorf("without a tick it leads to %s", at)
	}
	if h, _ := w.book.Halted(t.Context()); h == nil {
		t.Fatal("it resumed")
	}
	if _, _, says := p.send("/halt", "/resume", "sure", "yes"); !strings.Contains(says, "Resumed.") {
		t.Error("it does not say that it resumed")
	}
	if h, _ := w.book.Halted(t.Context()); h != nil {
		t.Error("it is halted still")
	}
}

func TestARoleThatIsTakenAwayIsGoneAtOnce(t *testing.T) {
	w := busy(t)
	p := w.signedIn("operator")
	_, _, page := p.get("/halt")
	token := csrf.FindStringSubmatch(page)[1]
	w.change(func(l *config.Live) { l.Tokens[1].Role = "viewer" })
	if _, _, page := p.post("/halt", "csrf", token, "reason", "test"); !strings.Contains(page, "may not do this: it needs role operator") {
		t.Error("who is viewer now may halt")
	}
	w.change(func(l *config.Live) { l.Tokens[1].Hash = l.Tokens[0].Hash + "x" })
	if _, at, page := p.get("/experiments"); at != "/signin?next=%2Fexperiments&why=refused" || !strings.Contains(page, "Your token is let in no more") {
		t.Errorf("whose token was taken away is at %s", at)
	}
}

func TestWithoutTokensThisMachineLooksAndNobodyActs(t *testing.T) {
	w := busy(t)
	w.change(func(l *config.Live) { l.Tokens = nil })
	p := w.person()
	_, at, page := p.get("/")
	if at != "/" || !strings.Contains(page, "nobody may act here") || strings.Contains(page, "Abort…") {
		t.Errorf("at %s", at)
	}
	if status, _, _ := p.post("/halt", "reason", "test"); status != http.StatusForbidden {
		t.Errorf("anybody may halt: %d", status)
	}
	if _, at, _ := p.get("/signin?next=/runs"); at != "/runs" {
		t.Errorf("whoever need not sign in is at %s", at)
	}
	r, err := http.NewRequest(http.MethodGet, w.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	if status, _, page := p.got(p.Do(r)); status != http.StatusUnauthorized || strings.Contains(page, "checkout-survives") {
		t.Errorf("a name that was pointed here may look: %d", status)
	}
}

func TestExperimentsComeInPages(t *testing.T) {
	w := busy(t)
	for i := range 120 {
		w.declare(func(e *mishap.Experiment) {
			e.Name, e.Owner = "many-"+string(rune('a'+i/26))+string(rune('a'+i%26)), "payments-team"
		})
	}
	p := w.signedIn("viewer")
	seen, next := 0, "/experiments?find=payments-team"
	for pages := 0; next != ""; pages++ {
		_, _, page := p.get(next)
		if !strings.Contains(page, "120 experiments") || pages > 3 {
			t.Fatalf("page %d of %s", pages, next)
		}
		seen += strings.Count(page, `<a class="title" href="/experiments/many-`)
		_, rest, _ := strings.Cut(page, `<p class="pager"><a class="button" href="`)
		next, _, _ = strings.Cut(rest, `"`)
		next = strings.ReplaceAll(next, "&amp;", "&")
	}
	if seen != 120 {
		t.Errorf("%d of 120 are shown", seen)
	}
	_, _, page := p.get("/experiments?find=search")
	if !strings.Contains(page, `aria-label="last 7 runs: 4 held, 1 refused, 1 inconclusive, 1 deviated"`) {
		t.Errorf("the strip: %s", page)
	}
}

func TestWhateverIsWrittenStaysText(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("long ", 1000)
	w.declare(func(e *mishap.Experiment) {
		e.Claim, e.Owner, e.Tags = reporttest.Hostile, `"><script>alert(1)</script>`, map[string]string{"<i>": long}
	})
	w.ran("abcd", until(reporttest.Attacked(t), mishap.Holding, 5), reporttest.Hostile, time.Second)
	p := w.signedIn("admin")
	for _, at := range []string{"/", "/experiments", "/halt", "/experiments?find=%3Cscript%3Ealert(1)", "/nothing/%3Cb%3E", "/experiments?find=%E2%80%AE"} {
		_, _, page := p.get(at)
		for _, never := range []string{"<script>", "<b>", "<i>", "\u202e", "\x1b", "ZgotmplZ"} {
			if strings.Contains(page, never) {
				t.Errorf("%s has %q", at, never)
			}
		}
	}
}

func TestAnExperimentIsPlannedApprovedRunAndUnlockedByWhoMay(t *testing.T) {
	w := busy(t)
	at := "/experiments/search-falls-back"
	_, _, page := w.signedIn("viewer").get(at)
	for _, never := range []string{at + "/run", at + "/plan", at + "/unlock", "`", `<span aria-hidden="true">/</span></p>`} {
		if strings.Contains(page, never) {
			t.Errorf("a viewer is shown %s", never)
		}
	}
	for _, want := range []string{"7 runs:", `href="/runs/0af1"`, "and is locked</p>", "experiments/slow-payments.yaml", "3f2a9c81d0e4", "Who has role admin may unlock it"} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	op := w.signedIn("operator")
	status, where, plan := op.send(at, at+"/plan")
	if again, _, reloaded := op.get(where); !strings.HasPrefix(where, at+"/plan/") || again != http.StatusOK || !strings.Contains(reloaded, "Made <time") {
		t.Errorf("the plan stands at %s, which answers %d", where, again)
	}
	for _, want := range []string{
		"proxy payments", "15m", `<a href="/runs/0ag1">run 0ag1</a>`, "It needs an approval", "Who has role approver",
		"A run would be refused", "window refused: it is &lt;b&gt;Sunday", "governor passed", "Both lost", "the fault expires in the proxy within", "Worst-case time to stop", "1 of 3 matched (33.3%), 100% allowed",
	} {
		if status != http.StatusOK || !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q", want)
		}
	}
	token := csrf.FindStringSubmatch(plan)[1]
	if _, _, page := op.post(at+"/approve", "csrf", token, "digest", "sha256:x", "reason", "test"); !strings.Contains(page, "it needs role approver") || len(w.approved) > 0 {
		t.Error("an operator approves")
	}
	_, _, plan = w.signedIn("approver").send(at, at+"/plan")
	if !strings.Contains(plan, `name="digest" value="sha256:plan-of-search-falls-back"`) {
		t.Error("an approver is not offered to approve what they look at")
	}
	ap := w.signedIn("approver")
	_, _, page = ap.get(at)
	if _, _, page := ap.post(at+"/approve", "csrf", csrf.FindStringSubmatch(page)[1], "digest", "sha256:plan-of-search-falls-back", "reason", "looked at"); !strings.Contains(page, "is approved until") || len(w.approved) != 1 || w.approved[0].Digest != "sha256:plan-of-search-falls-back" {
		t.Errorf("approved: %+v", w.approved)
	}
	if _, to, _ := op.send(at, at+"/run", "noFault", "yes", "key", "k"); to != "/runs/started-1-by-operator-ann" || len(w.started) != 1 || !w.started[0].NoFault {
		t.Errorf("started %+v, at %s", w.started, to)
	}
	w.declare(func(e *mishap.Experiment) { e.Name = "refuses" })
	if _, to, page := op.send("/experiments/refuses", "/experiments/refuses/run", "key", "k"); to != "/experiments/refuses" || !strings.Contains(page, "it is outside of the window") {
		t.Errorf("refused, at %s", to)
	}
	if _, _, page := w.signedIn("admin").send(at, at+"/unlock", "reason", "fixed"); !strings.Contains(page, "is unlocked") {
		t.Error("an admin does not unlock")
	}
	if locks, _ := w.book.Locks(t.Context()); len(locks) != 1 { // that of the experiment that was removed
		t.Errorf("locks: %+v", locks)
	}
}

func TestAnExperimentThatWasRemovedKeepsItsRuns(t *testing.T) {
	w := busy(t)
	p := w.signedIn("operator")
	_, _, page := p.get("/experiments/removed-lately")
	if !strings.Contains(page, "No source has this experiment in force any more") || !strings.Contains(page, `href="/runs/0b22"`) || strings.Contains(page, "Run now") {
		t.Error("it is not said")
	}
	_, _, page = p.get("/experiments/search-falls-back")
	token := csrf.FindStringSubmatch(page)[1]
	w.experiments = nil
	if status, _, page := p.post("/experiments/search-falls-back/plan", "csrf", token); status != http.StatusNotFound || !strings.Contains(page, "No source has experiment search-falls-back in force") {
		t.Errorf("planned, though it was removed: %d", status)
	}
	if status, _, page := p.get("/experiments/never-ran"); status != http.StatusNotFound || !strings.Contains(page, "no run of one is known") {
		t.Errorf("%d", status)
	}
}

func TestARunIsItsReportAndItsWholeJournal(t *testing.T) {
	w := busy(t)
	p := w.signedIn("viewer")
	_, _, page := p.get("/runs/0b22")
	for _, want := range []string{"Deviated", "at least 1.2\u00a0pp more in the experiment", "Timeline", `href="/runs/0b22/journal"`} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(page, " style=") || strings.Contains(page, "base64") {
		t.Error("the policy keeps out what it has")
	}
	z, err := p.Get(w.url + "/runs/0b22/journal")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Body.Close()
	text, err := gzip.NewReader(z.Body)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := report.ReadJournal(text)
	if err != nil || len(entries) < 30 || entries[0].Run != "0b22" {
		t.Errorf("%d entries: %v", len(entries), err)
	}
	_, _, going := p.get("/runs/77aa01")
	_, card, _ := strings.Cut(going, `<div id="going"`)
	card, rest, _ := strings.Cut(card, "<article")
	for _, once := range []string{"Customers can still check out", "checkout-survives-slow-payments<", "Affected", "connections", `href="/runs/77aa01"`} { // the report has them, of the same moment
		if strings.Contains(card, once) {
			t.Errorf("the card on a run's own page says %q again", once)
		}
	}
	if !strings.Contains(card, "If the server is lost") || !strings.Contains(card, "In progress") || !strings.Contains(rest, "Customers can still check out") {
		t.Errorf("the card on a run's own page lacks what the report does not have: %s", card)
	}
	if !strings.Contains(going, "The run is not over") || strings.Contains(going, "Still in") {
		t.Error("of a run that goes on it says that faults are still in")
	}
	if status, _, page := p.get("/runs/unknown"); status != http.StatusNotFound || !strings.Contains(page, "No run unknown is known") {
		t.Errorf("%d", status)
	}
	_, _, page = p.get("/runs?experiment=search-falls-back")
	if strings.Count(page, `<li class="row">`) != 7 {
		t.Error("its runs are not listed")
	}
}

func TestRunsComeInPages(t *testing.T) {
	w := newWorld(t)
	for i := range 70 {
		w.ran(fmt.Sprintf("r%04d", i), reporttest.Stories()["refused"], "often", time.Duration(i)*time.Hour)
	}
	p, next, seen := w.signedIn("viewer"), "/runs", 0
	for next != "" && seen < 100 {
		_, _, page := p.get(next)
		seen += strings.Count(page, `<li class="row">`)
		_, rest, _ := strings.Cut(page, `<p class="pager"><a class="button" href="`)
		next, _, _ = strings.Cut(rest, `"`)
		next = strings.ReplaceAll(next, "&amp;", "&")
	}
	if seen != 70 {
		t.Errorf("%d of 70 runs are shown", seen)
	}
}

func TestCoverageShowsWhatNobodyTried(t *testing.T) {
	w := busy(t)
	_, _, page := w.signedIn("viewer").get("/coverage")
	row := func(thing string) string {
		_, rest, found := strings.Cut(page, `<th scope="row">`+thing+"</th>")
		if !found {
			t.Fatalf("there is no row for %s", thing)
		}
		cells, _, _ := strings.Cut(rest, "</tr>")
		return cells
	}
	if redis := row("proxy redis"); strings.Count(redis, "no experiment") != 5 {
		t.Errorf("a proxy that nobody tried anything on: %s", redis)
	}
	payments := row("proxy payments")
	if strings.Count(payments, "no experiment") != 4 || !strings.Contains(payments, "checkout-survives-slow-payments") || !strings.Contains(payments, "would show: success-rate worse by 0.5 pp") {
		t.Errorf("a proxy with a slow fault: %s", payments)
	}
	if search := row("service search"); !strings.Contains(search, "held") || !strings.Contains(search, "2 days ago") {
		t.Errorf("a service by tag: %s", search)
	}
}

func TestARunThatSomebodyStoppedTakesNoVerdictOutOfTheMatrix(t *testing.T) {
	w := newWorld(t)
	stories := reporttest.Stories()
	stoppedBy := func(cause mishap.Cause) *reporttest.Story {
		s := *stories["crash-resumed"]
		s.Entries = slices.Clone(s.Entries)
		for i, e := range s.Entries {
			if e.State != nil && e.State.Cause == mishap.CauseCrash {
				change := *e.State
				change.Cause = cause
				s.Entries[i].State = &change
			}
		}
		return &s
	}
	wants := map[mishap.Cause]string{
		mishap.CauseHalt: "held", mishap.CauseAbort: "held", mishap.CauseInterrupt: "held", mishap.CauseCrash: "held", mishap.CauseInternal: "held",
		mishap.CauseSafeguard: "inconclusive", mishap.CauseUnmeasured: "inconclusive",
	}
	for cause := range wants {
		name := "by-" + strings.ToLower(string(cause))
		w.declare(func(e *mishap.Experiment) {
			e.Name, e.Tags = name, map[string]string{"service": "of-" + string(cause)}
			e.Faults = e.Faults[:1]
			e.Faults[0].Targets = nil
		})
		w.ran("a-"+name, stories["held"], name, 48*time.Hour)
		w.ran("b-"+name, stoppedBy(cause), name, time.Hour)
	}
	_, _, page := w.signedIn("viewer").get("/coverage")
	for cause, want := range wants {
		_, rest, _ := strings.Cut(page, `<th scope="row">service of-`+string(cause)+"</th>")
		cells, _, _ := strings.Cut(rest, "</tr>")
		if !strings.Contains(cells, `mark `+want+`"`) {
			t.Errorf("after a run that ended by %s the last verdict is not %s: %s", cause, want, cells)
		}
	}
}

func TestWhatHeldLaterTakesNoDeviationOfAnotherExperimentOutOfTheMatrix(t *testing.T) {
	w := newWorld(t)
	type ran struct{ experiment, story string } // in turn
	wants := map[string]struct {
		runs []ran
		want string
	}{
		"later":      {[]ran{{"a", "deviated"}, {"b", "held"}}, "deviated"},
		"earlier":    {[]ran{{"b", "held"}, {"a", "deviated"}}, "deviated"},
		"no effect":  {[]ran{{"a", "deviated"}, {"b", "held"}, {"b", "no-effect"}}, "deviated"},
		"mended":     {[]ran{{"a", "deviated"}, {"a", "held"}, {"b", "held"}}, "held"},
		"no verdict": {[]ran{{"b", "held"}, {"a", "no-effect"}}, "inconclusive"},
	}
	for name, of := range wants {
		service := strings.ReplaceAll(name, " ", "-")
		for _, experiment := range []string{"a", "b"} {
			w.declare(func(e *mishap.Experiment) {
				e.Name, e.Tags = service+"-"+experiment, map[string]string{"service": service}
				e.Faults = e.Faults[:1]
				e.Faults[0].Targets = nil
			})
		}
		for i, r := range of.runs {
			w.ran(fmt.Sprintf("%s-%d", service, i), reporttest.Stories()[r.story], service+"-"+r.experiment, time.Duration(50-10*i)*time.Hour)
		}
	}
	_, _, page := w.signedIn("viewer").get("/coverage")
	for name, of := range wants {
		_, rest, _ := strings.Cut(page, `<th scope="row">service `+strings.ReplaceAll(name, " ", "-")+"</th>")
		cells, _, _ := strings.Cut(rest, "</tr>")
		if !strings.Contains(cells, `mark `+of.want+`"`) {
			t.Errorf("%s: the matrix does not say %s: %s", name, of.want, cells)
		}
	}
}

func TestCalendarShowsWhatRanWhatIsDueAndWhatKeepsItFromRunning(t *testing.T) {
	w := newWorld(t)
	w.ran("0a11", reporttest.Stories()["held"], "daily", 24*time.Hour)
	w.declare(func(e *mishap.Experiment) {
		e.Name, e.Schedule = "daily", &mishap.Schedule{Cron: "0 10 * * *", Timezone: "UTC"}
	})
	w.declare(func(e *mishap.Experiment) {
		e.Name, e.Schedule, e.Impacts = "known", &mishap.Schedule{Cron: "30 10 * * *", Timezone: "UTC"}, []mishap.Impact{{What: "the cart is <b>slow</b>"}}
	})
	p := w.signedIn("viewer")
	at := time.Now().UTC().AddDate(0, 0, 7).Format(time.DateOnly)
	_, _, page := p.get("/calendar?from=" + at)
	if strings.Count(page, `class="card day`) != 14 || strings.Count(page, "/experiments/daily") != 14 || strings.Count(page, "known impact: the cart is &lt;b&gt;slow") != 14 {
		t.Errorf("two weeks from %s have %d days, %d times", at, strings.Count(page, `class="card day`), strings.Count(page, "/experiments/daily"))
	}
	_, _, page = p.get("/calendar?from=" + time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly))
	if !strings.Contains(page, `href="/runs/0a11"`) || !strings.Contains(page, "today") {
		t.Error("yesterday's run is not there")
	}
	if status, _, _ := p.get("/calendar?from=yesterday"); status != http.StatusOK {
		t.Errorf("a week that is none: %d", status)
	}
}

func TestADayOfWhichSomeIsLeftOutIsNotCalledEmpty(t *testing.T) {
	w := newWorld(t)
	p := w.signedIn("viewer")
	from := time.Now().UTC().AddDate(0, 0, 14)
	empty := func() (nothing, more int) {
		_, _, page := p.get("/calendar?from=" + from.Format(time.DateOnly))
		return strings.Count(page, ">nothing<"), strings.Count(page, ">and more</a>") + strings.Count(page, ">more than can be shown here</a>")
	}
	if nothing, more := empty(); nothing != 14 || more != 0 {
		t.Errorf("of two weeks with nothing %d days have nothing, %d more", nothing, more)
	}
	w.declare(func(e *mishap.Experiment) {
		e.Name, e.Schedule = "often", &mishap.Schedule{Cron: "*/20 * * * *", Timezone: "UTC"}
	})
	from = from.AddDate(0, 0, 14) // another page, which nobody was shown a moment ago
	if nothing, more := empty(); nothing != 0 || more != 13 {
		t.Errorf("100 times at 72 a day fill a day; of 14 days %d have nothing, %d more", nothing, more)
	}
}

func TestTheAuditIsForAdminsAndNewestFirst(t *testing.T) {
	w := busy(t)
	if status, _, page := w.signedIn("approver").get("/audit"); status != http.StatusForbidden || !strings.Contains(page, "it needs role admin") {
		t.Errorf("an approver reads the audit: %d", status)
	}
	for i := range 150 {
		if err := w.book.Record(t.Context(), ledger.Act{At: time.Now(), By: "somebody", What: fmt.Sprintf("act %d of many", i)}); err != nil {
			t.Fatal(err)
		}
	}
	p := w.signedIn("admin")
	_, _, page := p.get("/audit")
	if strings.Count(page, " of many") != 100 || strings.Index(page, "act 149 of many") > strings.Index(page, "act 148 of many") {
		t.Error("the first page is not of the newest hundred")
	}
	_, rest, _ := strings.Cut(page, `<p class="pager"><a class="button" href="`)
	next, _, _ := strings.Cut(rest, `"`)
	if _, _, page := p.get(next); strings.Count(page, " of many") != 50 || !strings.Contains(page, "act 0 of many") {
		t.Error("the second page is not of the rest")
	}
}

func TestARealProxyIsSeenAndObserved(t *testing.T) {
	w := newWorld(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(upstream.Close)
	control := filepath.Join(t.TempDir(), "control")
	ready, ended := make(chan []registry.ProxyStatus, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		ended <- proxy.Serve(ctx, proxy.Options{
			Listeners: []listener.Config{{Name: "payments", Listen: "127.0.0.1:0", Upstream: upstream.Listener.Addr().String(), Protocol: "http", Control: control}},
			Control:   control, Log: slog.New(slog.DiscardHandler), Ready: func(list []registry.ProxyStatus) { ready <- list },
		})
	}()
	t.Cleanup(func() { stop(); <-ended })
	list := <-ready
	w.settings.Proxies = []config.Proxy{{Name: "payments", Listen: list[0].Listen, Upstream: list[0].Upstream, Protocol: "http", Control: control}}
	calling, enough := context.WithCancel(t.Context())
	defer enough()
	go func() {
		for tick := time.Tick(5 * time.Millisecond); calling.Err() == nil; <-tick {
			r, err := http.NewRequestWithContext(calling, http.MethodGet, "http://"+list[0].Listen, nil)
			if err != nil {
				return
			}
			r.Header.Set("traceparent", fmt.Sprintf("00-%032x-00f067aa0ba902b7-01", time.Now().UnixNano()))
			if r, err := http.DefaultClient.Do(r); err == nil {
				r.Body.Close()
			}
		}
	}()
	p := w.signedIn("operator")
	status, at, page := p.send("/proxies", "/proxies/payments/observe")
	if status != http.StatusOK || !strings.HasPrefix(at, "/proxies/payments/observe/") || !strings.Contains(page, "<h2>Traffic</h2>") || !strings.Contains(page, "<h2>What callers do</h2>") || !strings.Contains(page, "none tried again") {
		t.Errorf("%d at %s %s", status, at, page)
	}
	for _, links := range []string{"/proxies", "/"} {
		if _, _, page := p.get(links); !strings.Contains(page, fmt.Sprintf("href=%q", at)) {
			t.Errorf("%s does not lead to what was observed", links)
		}
	}
	_, _, page = w.signedIn("viewer").get("/proxies")
	if !strings.Contains(page, list[0].Listen) || strings.Contains(page, "Observe for") || strings.Contains(page, "Nothing is known") {
		t.Errorf("a viewer sees %s", page)
	}
}

func TestWhatMachinesReadOfARunLinksToItsPage(t *testing.T) {
	w := busy(t)
	w.change(func(l *config.Live) { l.PublicURL = "https://mishap.example" })
	for path, want := range map[string]string{
		"/v1/runs/0af1":                     `"url":"https://mishap.example/runs/0af1"`,
		"/v1/runs/0af1/report?format=junit": `<property name="url" value="https://mishap.example/runs/0af1">`,
		"/v1/me":                            `"pages":"https://mishap.example"`,
	} {
		r, err := http.NewRequest(http.MethodGet, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		apitest.Bearer("viewer")(r)
		if status, _, text := w.person().got(http.DefaultClient.Do(r)); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestWhatWasAskedForHasAnAddressForWhoeverMayAsk(t *testing.T) {
	w := busy(t)
	at := "/experiments/search-falls-back"
	_, plan, made := w.signedIn("operator").send(at, at+"/plan")
	if _, to, page := w.signedIn("approver").get(plan); to != plan || !strings.Contains(page, "for operator-ann") || !strings.Contains(page, "Approve this plan") {
		t.Errorf("who may approve is shown it at %s, with other buttons than it was made with", to)
	}
	if status, _, page := w.signedIn("viewer").get(plan); status != http.StatusForbidden || strings.Contains(page, "0f1e2d3c") || !strings.Contains(page, "it needs role operator") {
		t.Errorf("who may not ask is shown it: %d", status)
	}
	if _, to, page := w.person().get(plan); !strings.HasPrefix(to, "/signin") || strings.Contains(page, "Plan of") {
		t.Errorf("a stranger is at %s", to)
	}
	if !strings.Contains(made, "A run would be refused") {
		t.Errorf("the plan says %s", made)
	}
	op := w.signedIn("operator")
	for _, links := range []string{"/", at, at + "/plan"} {
		if _, _, page := op.get(links); !strings.Contains(page, fmt.Sprintf("href=%q", plan)) {
			t.Errorf("%s does not lead to the plan", links)
		}
		if _, _, page := w.signedIn("viewer").get(links); strings.Contains(page, plan) {
			t.Errorf("%s leads a viewer there", links)
		}
	}
	for gone, says := range map[string]string{at + "/plan/ABCDEFGH": "is kept no more", "/experiments/cart-keeps-its-items/plan/" + plan[strings.LastIndex(plan, "/")+1:]: "is kept no more"} {
		if status, _, page := op.get(gone); status != http.StatusGone || !strings.Contains(page, says) || !strings.Contains(page, "/plan\"><input type=\"hidden\" name=\"csrf\"") {
			t.Errorf("%s: %d", gone, status)
		}
	}
	if status, _, page := op.get("/experiments/unknown/plan"); status != http.StatusNotFound || !strings.Contains(page, "no source has experiment unknown") && !strings.Contains(page, "No source has experiment unknown") {
		t.Errorf("of an experiment that there is not: %d", status)
	}
	if status, _, _ := op.get("/proxies/unknown/observe"); status != http.StatusNotFound {
		t.Errorf("of a proxy that there is not: %d", status)
	}
}

// Everybody of one role is shown the same page for a moment; what they begin with it is theirs.
func TestARunIsBegunOncePerPersonHoweverOftenTheySendTheirForm(t *testing.T) {
	w := busy(t)
	at := "/experiments/search-falls-back"
	first, second := w.signedIn("operator"), w.signedIn("operator")
	form := func(p *person) []string {
		_, _, page := p.get(at)
		return []string{"csrf", csrf.FindStringSubmatch(page)[1], "key", runKey.FindStringSubmatch(page)[1]}
	}
	one, other := form(first), form(second)
	if one[3] == other[3] || len(one[3]) < 20 || one[1] == other[1] {
		t.Fatalf("two people have keys %s and %s", one[3], other[3])
	}
	_, begun, _ := first.post(at+"/run", one...)
	if _, to, page := first.post(at+"/run", one...); to != begun || !strings.Contains(page, "The same was asked before") {
		t.Errorf("who clicks twice begins %s and %s", begun, to)
	}
	if _, to, _ := second.post(at+"/run", other...); to == begun || len(w.started) != 2 {
		t.Errorf("somebody else gets %s too: %d runs", to, len(w.started))
	}
}

func TestAFormOfAnotherSiteIsAnsweredByAPage(t *testing.T) {
	w := busy(t)
	p := w.signedIn("operator")
	r, err := http.NewRequest(http.MethodPost, w.url+"/halt", strings.NewReader("reason=test"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	status, _, page := p.got(p.Do(r))
	if status != http.StatusForbidden || !strings.Contains(page, "<h1>Not allowed</h1>") || !strings.Contains(page, "this form came from another site") && !strings.Contains(page, "This form came from another site") {
		t.Errorf("%d %s", status, page)
	}
}
