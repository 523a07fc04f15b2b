package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/httpapi/apitest"
)

// login gets an ID token from the provider as a browser does, with a code.
func login(t *testing.T, m *mockoidc.MockOIDC, user *mockoidc.MockUser) string {
	t.Helper()
	m.QueueUser(user)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	about := m.Config()
	resp, err := client.Get(m.AuthorizationEndpoint() + "?" + url.Values{"client_id": {about.ClientID}, "response_type": {"code"},
		"scope": {"openid email profile groups"}, "state": {"s"}, "nonce": {"n"}, "redirect_uri": {"http://127.0.0.1/back"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	resp, err = client.PostForm(m.TokenEndpoint(), url.Values{"client_id": {about.ClientID}, "client_secret": {about.ClientSecret},
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	var got struct {
		ID string `json:"id_token"`
	}
	if err := json.Unmarshal(text, &got); err != nil || got.ID == "" {
		t.Fatalf("no token: %s", text)
	}
	return got.ID
}

func TestATokenOfTheProviderGivesTheRoleOfItsGroups(t *testing.T) {
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	b := newBench(t)
	b.settings.Live().OIDC = config.OIDC{Issuer: m.Issuer(), Audience: m.Config().ClientID, Claim: "groups", Roles: map[string][]string{"viewer": {"all"}, "operator": {"sre", "web"}}}
	b.settings.Live().Tokens = []config.Token{{Name: "ci", Role: "admin", Hash: apitest.HashOf("a")}}
	h := b.Handler()
	user := func(groups ...string) string {
		return login(t, m, &mockoidc.MockUser{Subject: "1", Email: "ann@example.com", EmailVerified: true, PreferredUsername: "ann", Groups: groups})
	}
	signed := func(change func(jwt.MapClaims)) string {
		now := time.Now()
		claims := jwt.MapClaims{"iss": m.Issuer(), "aud": m.Config().ClientID, "sub": "1", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "groups": "sre"}
		change(claims)
		token, err := m.Keypair.SignJWT(claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := user("all", "sre")
	other, _ := mockoidc.RandomKeypair(2048)
	forged, _ := other.SignJWT(jwt.MapClaims{"iss": m.Issuer(), "aud": m.Config().ClientID, "sub": "1", "exp": time.Now().Add(time.Hour).Unix(), "groups": "sre"})
	halt := `{"reason": "test"}`
	for _, c := range []struct {
		name, token, method, path, body string
		want                            int
		says                            string
	}{
		{"an operator halts", good, "PUT", "/v1/halt", halt, 200, `"by":"ann (sub 1)"`},
		{"an operator does not resume", good, "DELETE", "/v1/halt", "", 403, "ann (sub 1) may not do this"},
		{"a viewer reads", user("all"), "GET", "/v1/halt", "", 200, ""},
		{"a viewer does not halt", user("all"), "PUT", "/v1/halt", halt, 403, ""},
		{"no group gives a role", user("sales"), "GET", "/v1/halt", "", 401, "no value of groups in the token of ann (sub 1) gives a role here"},
		{"one group that is a text", signed(func(jwt.MapClaims) {}), "PUT", "/v1/halt", halt, 200, ""},
		{"for another program", signed(func(c jwt.MapClaims) { c["aud"] = "other" }), "GET", "/v1/halt", "", 401, "audience"},
		{"of another provider", signed(func(c jwt.MapClaims) { c["iss"] = "https://other.example" }), "GET", "/v1/halt", "", 401, "issued by a different provider"},
		{"expired", signed(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), "GET", "/v1/halt", "", 401, "expired"},
		{"signed by somebody else", forged, "GET", "/v1/halt", "", 401, "signature"},
		{"changed", good[:len(good)-4] + "AAAA", "GET", "/v1/halt", "", 401, "signature"},
		{"not signed", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "GET", "/v1/halt", "", 401, "refused"},
		{"a token of the settings", "a", "DELETE", "/v1/halt", "", 200, ""},
		{"none", "", "GET", "/v1/halt", "", 401, ""},
	} {
		status, text := apitest.Call(h, c.method, c.path, c.body, apitest.Bearer(c.token))
		if status != c.want || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d, want %d and %q: %s", c.name, status, c.want, c.says, text)
		}
	}
}

func TestAProviderThatIsAwayKeepsNobodyElseOut(t *testing.T) {
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	issuer := m.Issuer()
	if err := m.Shutdown(); err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.settings.Live().OIDC = config.OIDC{Issuer: issuer, Audience: "x", Claim: "groups"}
	b.settings.Live().Tokens = []config.Token{{Name: "ci", Role: "viewer", Hash: apitest.HashOf("a")}}
	h := b.Handler()
	if status, text := apitest.Call(h, "GET", "/v1/halt", "", apitest.Bearer("a.b.c")); status != 401 || !strings.Contains(text, "provider does not answer") {
		t.Errorf("with its token: %d %s", status, text)
	}
	if status, _ := apitest.Call(h, "GET", "/v1/halt", "", apitest.Bearer("a")); status != 200 {
		t.Errorf("with a token of the settings: %d", status)
	}
}

func TestAnAddressThatIsNotVerifiedNamesNobody(t *testing.T) {
	who := personOf(map[string]any{"email": "boss@example.com", "email_verified": false}, "17")
	if who.name != "(sub 17)" || who.mail != "" {
		t.Errorf("it is %+v", who)
	}
}

// Providers let people change their names, and two may have the same one.
func TestASubjectTellsPeopleApartWhateverTheyAreCalled(t *testing.T) {
	named := func(name, mail, subject string) caller {
		return personOf(map[string]any{"preferred_username": name, "email": mail, "email_verified": mail != ""}, subject)
	}
	ann := named("ann", "ann@example.com", "auth0|17")
	for _, c := range []struct {
		name   string
		other  caller
		counts bool
	}{
		{"the same", ann, false},
		{"under another name", named("bob", "", "auth0|17"), false},
		{"under another name and address", named("bob", "bob@example.com", "auth0|17"), false},
		{"under the name of somebody else with a subject", named("bob (sub auth0%7C18)", "", "auth0|17"), false},
		{"somebody else of the same name", named("ann", "", "auth0|18"), true},
		{"somebody else of the same name and address", named("ann", "ann@example.com", "auth0|18"), true},
		{"somebody else whose subject ends alike", named("ann", "", "x (sub auth0|17"), true},
		{"a token of the settings with the same name", caller{name: "ann"}, false},
	} {
		given := []mishap.Approval{{Experiment: "a", By: c.other.person()}}
		if left := mishap.OfOthers(given, ann.name); (len(left) == 1) != c.counts {
			t.Errorf("%s: the approval of %q for what %q asks counts: %v, want %v", c.name, c.other.person(), ann.name, len(left) == 1, c.counts)
		}
	}
	if got := ann.person(); ann.name != "ann (sub auth0%7C17)" || got != "ann <ann@example.com> (sub auth0%7C17)" {
		t.Errorf("the audit reads %q, approvals %q", ann.name, got)
	}
	if !mishap.SamePerson("Ann <ann@example.com>", ann.person()) {
		t.Error("who wrote a commit is not known by their address")
	}
}
