package console_test

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"mishap"
	"mishap/internal/config"
)

// withProvider is a busy world whose people sign in with a provider.
func withProvider(t *testing.T) (*world, *mockoidc.MockOIDC) {
	t.Helper()
	w, m, _ := withCountedProvider(t)
	return w, m
}

// withCountedProvider also counts the tokens that are got without somebody there.
func withCountedProvider(t *testing.T) (*world, *mockoidc.MockOIDC, *atomic.Int32) {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	renewed := new(atomic.Int32)
	err = m.AddMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("grant_type") == "refresh_token" {
				renewed.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	})
	listener, problem := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(err, problem); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	t.Setenv("MISHAP_TEST_CLIENT_SECRET", m.Config().ClientSecret)
	w := busy(t)
	w.settings.Live().OIDC = config.OIDC{
		Issuer: m.Issuer(), Audience: m.Config().ClientID, Claim: "groups", Roles: map[string][]string{"viewer": {"all"}, "operator": {"sre"}},
		SignIn: &config.SignIn{Secret: mishap.Secret{Env: "MISHAP_TEST_CLIENT_SECRET"}, Scopes: []string{"email", "profile", "groups"}},
	}
	return w, m, renewed
}

func somebody(groups ...string) *mockoidc.MockUser {
	return &mockoidc.MockUser{Subject: "17", Email: "ann@example.com", EmailVerified: true, PreferredUsername: "ann", Groups: groups}
}

func TestSomebodySignsInWithTheProviderAndIsWhoItSays(t *testing.T) {
	w, m := withProvider(t)
	p := w.person()
	if _, _, page := p.get("/signin?next=/halt"); !strings.Contains(page, `href="/signin/with?next=%2Fhalt"`) {
		t.Fatal("nobody is offered the provider")
	}
	m.QueueUser(somebody("all", "sre"))
	status, at, page := p.get("/signin/with?next=/halt")
	if status != http.StatusOK || !strings.HasPrefix(at, "/signin/back?") || !strings.Contains(page, `content="0;url=/halt"`) {
		t.Fatalf("%d at %s: %s", status, at, page)
	}
	if _, _, page := p.send("/halt", "/halt", "reason", "a drill"); !strings.Contains(page, "Halted.") || !strings.Contains(page, "Signed in as <strong>ann (sub 17)</strong>, operator.") {
		t.Error("she may not do what her group gives")
	}
	if h, _ := w.book.Halted(t.Context()); h == nil || h.By != "ann (sub 17)" {
		t.Errorf("halted by %+v", h)
	}
	w.change(func(l *config.Live) { l.OIDC.Roles = map[string][]string{"viewer": {"all"}} })
	if _, _, page := p.get("/"); !strings.Contains(page, "</strong>, viewer.") || strings.Contains(page, "Abort…") {
		t.Error("a group that gives less gives it later")
	}
}

func TestASignInIsOfTheBrowserThatBeganIt(t *testing.T) {
	w, m := withProvider(t)
	begin := func(p *person) (back *url.URL) {
		t.Helper()
		m.QueueUser(somebody("sre"))
		stop := *p.Client
		stop.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == "/signin/back" {
				back = r.URL
				return http.ErrUseLastResponse
			}
			return nil
		}
		r, err := stop.Get(w.url + "/signin/with?next=//evil.example/")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if back == nil {
			t.Fatalf("it ends at %s", r.Request.URL)
		}
		return back
	}
	mallory, victim := w.person(), w.person()
	hers := begin(mallory)
	if status, _, page := victim.get(hers.RequestURI()); status != http.StatusForbidden || !strings.Contains(page, "was not begun in this browser") {
		t.Errorf("a code of somebody else signs in: %d", status)
	}
	begin(victim)
	if status, _, page := victim.get(hers.RequestURI()); status != http.StatusForbidden || !strings.Contains(page, "was not begun in this browser") {
		t.Errorf("a code of somebody else signs in whoever has begun too: %d", status)
	}
	q := hers.Query()
	q.Set("state", "other")
	if status, _, _ := mallory.get("/signin/back?" + q.Encode()); status != http.StatusForbidden {
		t.Errorf("another state: %d", status)
	}
	own := begin(mallory)
	if _, _, page := mallory.get(own.RequestURI()); !strings.Contains(page, `content="0;url=/"`) {
		t.Errorf("her own: %s", page)
	}
	if status, _, _ := mallory.get(own.RequestURI()); status != http.StatusForbidden {
		t.Errorf("her own a second time: %d", status)
	}
}

func TestWhomTheProviderDoesNotSignInIsToldWhy(t *testing.T) {
	w, m := withProvider(t)
	p := w.person()
	m.QueueUser(somebody("sales"))
	if _, _, page := p.get("/signin/with"); !strings.Contains(page, "No value of groups in the token of ann (sub 17) gives a role here") {
		t.Errorf("without a role: %s", page)
	}
	client := *p.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := client.Get(w.url + "/signin/with")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	to, err := r.Location()
	if err != nil || to.Query().Get("code_challenge_method") != "S256" || to.Query().Get("nonce") == "" || to.Query().Get("redirect_uri") != w.url+"/signin/back" {
		t.Fatalf("it goes to %s", to)
	}
	if _, _, page := p.get("/signin/back?state=" + to.Query().Get("state") + "&error=access_denied&error_description=%3Cb%3Eno"); !strings.Contains(page, "The provider did not sign you in: access_denied &lt;b&gt;no") {
		t.Errorf("denied: %s", page)
	}
	if err := m.Shutdown(); err != nil {
		t.Fatal(err)
	}
	w2, m2 := withProvider(t)
	if err := m2.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if status, _, page := w2.person().get("/signin/with"); status != http.StatusBadGateway || !strings.Contains(page, "provider does not answer") {
		t.Errorf("a provider that is away: %d", status)
	}
	if _, at, _ := w2.person().post("/signin", "token", "viewer", "next", "/runs"); at != "/runs" {
		t.Errorf("with a token, while the provider is away: %s", at)
	}
}

func TestATokenOfTheProviderIsRenewedBeforeItIsOver(t *testing.T) {
	w, m, renewed := withCountedProvider(t)
	m.AccessTTL = 20 * time.Second // less than what is left when another one is got
	m.QueueUser(somebody("sre"))
	p := w.person()
	p.get("/signin/with")
	m.AccessTTL = time.Hour
	var asked int32 // once, or once more to see how the client is to say who it is
	for i := range 2 {
		if _, at, page := p.get("/halt"); at != "/halt" || !strings.Contains(page, "operator.") {
			t.Fatalf("at %s", at)
		}
		if now := renewed.Load(); now == 0 || i > 0 && now != asked {
			t.Fatalf("after page %d another token was asked for %d times, before %d", i+1, now, asked)
		}
		asked = renewed.Load()
	}
	w.change(func(l *config.Live) { l.OIDC.Roles = map[string][]string{"viewer": {"none"}} })
	if _, at, page := p.get("/"); !strings.HasPrefix(at, "/signin") || !strings.Contains(page, "Your token is let in no more") {
		t.Errorf("whose groups give nothing any more is at %s", at)
	}
}
