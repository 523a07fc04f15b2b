package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/httpapi/apitest"
)

func TestEachRoleMayDoWhatItIsFor(t *testing.T) {
	b := newBench(t)
	b.settings.Live().Tokens = []config.Token{
		{Name: "vi", Role: "viewer", Hash: apitest.HashOf("v")}, {Name: "op", Role: "operator", Hash: apitest.HashOf("o")}, {Name: "ad", Role: "admin", Hash: apitest.HashOf("a")},
		{Name: "old", Role: "admin", Hash: apitest.HashOf("x"), Expires: time.Now().Add(-time.Hour)},
	}
	h := b.Handler()
	reason := `{"reason": "test"}`
	for _, c := range []struct {
		token, method, path, body string
		want                      int
	}{
		{"", "GET", "/v1/experiments", "", 401}, {"nonsense", "GET", "/v1/experiments", "", 401}, {"x", "GET", "/v1/experiments", "", 401},
		{"v", "GET", "/v1/experiments", "", 200}, {"v", "PUT", "/v1/halt", reason, 403}, {"v", "GET", "/v1/audit", "", 403},
		{"o", "PUT", "/v1/halt", reason, 200}, {"o", "DELETE", "/v1/halt", "", 403}, {"a", "DELETE", "/v1/halt", "", 200},
		{"a", "POST", "/v1/locks/a/unlock", reason, 404}, {"a", "GET", "/v1/audit", "", 200}, {"o", "PUT", "/v1/halt", "{}", 422},
		{"v", "GET", "/v1/runs/nothing", "", 404}, {"v", "GET", "/v1/runs?limit=0", "", 422},
		{"", "GET", "/healthz", "", 200}, {"", "GET", "/metrics", "", 401}, {"v", "GET", "/metrics", "", 200},
		{"o", "POST", "/v1/sources/none/refresh", "", 404},
	} {
		status, text := apitest.Call(h, c.method, c.path, c.body, apitest.Bearer(c.token))
		if status != c.want {
			t.Errorf("%q %s %s: %d, want %d: %s", c.token, c.method, c.path, status, c.want, text)
		}
		if status >= 400 && !strings.Contains(text, `"detail"`) {
			t.Errorf("%s %s: not a problem: %s", c.method, c.path, text)
		}
	}
	acts, _ := b.book.Audit(t.Context(), 0, 0, 100)
	var all []string
	for _, a := range acts {
		all = append(all, a.By+": "+a.What)
	}
	story := strings.Join(all, "\n")
	for _, want := range []string{"old: refused GET /v1/experiments: the token of old expired", "vi: refused PUT /v1/halt: needs role operator", "op: halt: test", "ad: resume", "unlock a failed: ", "refresh source none"} {
		if !strings.Contains(story, want) {
			t.Errorf("the audit does not say %q:\n%s", want, story)
		}
	}
	for _, once := range []string{": halt", ": resume", "unlock"} {
		if n := strings.Count(story, once); n != 1 {
			t.Errorf("one act has %d lines with %q:\n%s", n, once, story)
		}
	}
}

func TestWithoutTokensThisMachineMayOnlyRead(t *testing.T) {
	b := newBench(t)
	h := b.Handler()
	if status, text := apitest.Call(h, "GET", "/v1/experiments", ""); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := apitest.Call(h, "PUT", "/v1/halt", `{"reason": "x"}`); status != 403 {
		t.Errorf("anybody may halt: %d", status)
	}
	// A page in a browser, through a name that was pointed here, or from elsewhere.
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Host = "evil.example" },
		func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
	} {
		if status, _ := apitest.Call(h, "GET", "/v1/experiments", "", change); status != 401 {
			t.Errorf("a foreign page may read: %d", status)
		}
	}
	// The socket is for the server's own user, who may do all.
	if status, text := apitest.Call(b.OwnHandler(), "PUT", "/v1/halt", `{"reason": "x"}`); status != 200 {
		t.Errorf("the owner may not halt: %d %s", status, text)
	}
}

func TestSomebodyTooFastIsSlowedDown(t *testing.T) {
	b := newBench(t)
	h := b.Handler()
	limited := 0
	for range 2 * ratePerSecond {
		if status, _ := apitest.Call(h, "GET", "/v1/halt", ""); status == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("nobody is slowed down")
	}
}

// refreshed counts how often all sources are to be looked at.
type refreshed struct {
	Server
	times int
}

func (r *refreshed) RefreshAll() { r.times++ }

func TestAHookNeedsTheRightSignature(t *testing.T) {
	b := newBench(t)
	told := &refreshed{Server: b.server}
	b.server = told
	h := b.Handler()
	if status, _ := apitest.Call(h, "POST", "/hooks/refresh", "{}"); status != 401 {
		t.Errorf("a hook without a secret in the settings: %d", status)
	}
	b.settings.Live().Webhook.Secret = mishap.Secret{Value: "k"}
	if status, _ := apitest.Call(h, "POST", "/hooks/refresh", "{}", func(r *http.Request) { r.Header.Set("X-Gitlab-Token", "wrong") }); status != 401 {
		t.Errorf("a hook with a wrong signature: %d", status)
	}
	if told.times != 0 {
		t.Error("a refused hook refreshes")
	}
	if status, text := apitest.Call(h, "POST", "/hooks/refresh", "{}", func(r *http.Request) { r.Header.Set("X-Gitlab-Token", "k") }); status != 202 || told.times != 1 {
		t.Errorf("%d %s", status, text)
	}
}

func TestTheDocumentDescribesEveryRoute(t *testing.T) {
	b := newBench(t)
	_, text := apitest.Call(b.OwnHandler(), "GET", "/openapi.json", "")
	var doc struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for _, methods := range doc.Paths {
		operations += len(methods)
	}
	if doc.OpenAPI != "3.1.0" || operations != 34 {
		t.Errorf("OpenAPI %s with %d operations", doc.OpenAPI, operations)
	}
}
