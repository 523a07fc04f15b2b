package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap/internal/config"
)

func load(t *testing.T, file string, env map[string]string, flags map[string]string) (config.Settings, error) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	if file != "" {
		if err := os.WriteFile("mishap.yaml", []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config.Load(config.Options{Flags: flags, LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
}

func TestEachValueSaysWhereItCameFrom(t *testing.T) {
	s, err := load(t, "accounts: ['012345678901']\nlease: 5s\nstate: ./here\nregions: [a]\n",
		map[string]string{"MISHAP_REGIONS": "eu-west-1,eu-west-2", "MISHAP_STATE": "/x"}, map[string]string{"state": "/y"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range s.Values {
		got[v.Key] = v.From
	}
	want := map[string]string{
		"state": "flag --state", "accounts": "mishap.yaml:1", "regions": "environment MISHAP_REGIONS", "hosts": "default", "optInTag": "default", "otlp": "default",
		"protected": "default", "longestRun": "default", "revertWithin": "default", "lease": "mishap.yaml:2", "proxies": "default",
		"listen": "default", "publicURL": "default", "ledger": "default", "serverLease": "default", "sources": "default", "governor": "default", "allow": "default", "notify": "default", "webhook": "default", "tokens": "default", "tls": "default", "keep": "default", "labels": "default", "vault": "default", "vaultKey": "default", "notices": "default", "oidc": "default",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"eu-west-1", "eu-west-2"}, s.Regions); diff != "" {
		t.Error(diff)
	}
	if s.State != "/y" || s.Lease.Std() != 5*time.Second || s.Accounts[0].ID != "012345678901" {
		t.Errorf("%+v", s)
	}
}

func TestPathsInAFileAreRelativeToIt(t *testing.T) {
	s, err := load(t, "state: ./here\nproxies:\n  - {name: p, listen: '127.0.0.1:1', upstream: 'localhost:2', control: ./p.sock}\n  - {name: q, listen: ':3', upstream: 'localhost:4'}\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	here, _ := os.Getwd()
	if s.State != filepath.Join(here, "here") || s.Proxies[0].Control != filepath.Join(here, "p.sock") || s.Proxies[1].Control != s.Proxies[0].Control {
		t.Errorf("%+v", s)
	}
}

func TestAllThatAProxyCanBeToldIsRead(t *testing.T) {
	s, err := load(t, `proxies:
  - {name: a, listen: ":1", upstream: "x:2", sni: {b.example: "y:3"}, controlTLS: {cert: c.pem, key: k.pem, ca: ca.pem}, control: "tcp://:4"}
  - {name: b, listen: ":5", upstream: "x:6", protocol: http, edge: true, egress: true, tls: {cert: c.pem, key: k.pem}, upstreamTLS: {serverName: x}}
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := s.Proxies[0], s.Proxies[1]
	if a.SNI["b.example"] != "y:3" || !filepath.IsAbs(a.ControlTLS.Cert) || !b.Edge || !b.Egress || b.TLS == nil || b.UpstreamTLS.ServerName != "x" {
		t.Errorf("%+v", s.Proxies)
	}
}

func TestEveryProblemIsReportedAtOnceWithItsPlace(t *testing.T) {
	_, err := load(t, "account: ['1']\nlease: 1h\nlease: 2h\nproxies:\n  - {nam: p}\n", nil, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`mishap.yaml:1:1: unknown key "account"; did you mean "accounts"?`, `mishap.yaml:5:11: proxies[0].nam: unknown key "nam"; did you mean "name"?`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in %v", want, err)
		}
	}
	_, err = load(t, "lease: 1h\nlongestRun: soon\noptInTag: yes please\nproxies: [{name: p, listen: x, upstream: 'y:1', edge: true}]\n", nil, nil)
	for _, want := range []string{"mishap.yaml:1:8: lease: 1h is outside of 1s to 1m", `mishap.yaml:2:13: longestRun: "soon" is not a duration`, "mishap.yaml:3:11: optInTag", `listen of proxy "p" is "x"`,
		`proxy "p" has edge or egress, which is for protocol http`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in %v", want, err)
		}
	}
}

func TestAVaultIsAPathOfParametersOrNone(t *testing.T) {
	for path, good := range map[string]bool{
		"/mishap": true, "none": true, "/teams/pay-1/mishap_x.y": true, "mishap": false, "/": false, "/mishap/": false, "//a": false, "/a b": false, "/aws/x": false,
		"/SSMthing": false, "/a/b/c/d/e/f/g/h/i/j": true, "/a/b/c/d/e/f/g/h/i/j/k": false, "/ü": false, "off": false,
	} {
		s, err := load(t, "vault: '"+path+"'\nvaultKey: alias/mishap\n", nil, nil)
		if (err == nil) != good || good && (s.Vault != path || s.VaultKey != "alias/mishap") {
			t.Errorf("%q: %v", path, err)
		}
		if want := "mishap.yaml:1:8: vault: "; !good && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestThereNeedNotBeAFile(t *testing.T) {
	s, err := load(t, "", map[string]string{"HOME": "/home/ann", "XDG_STATE_HOME": "/s"}, nil)
	if err != nil || s.State != "/s/mishap" || s.File != "" {
		t.Errorf("%+v, %v", s, err)
	}
	var out bytes.Buffer
	if err := s.Print(&out); err != nil || !strings.Contains(out.String(), "state:        /s/mishap\n              from default\n") {
		t.Errorf("%s", out.String())
	}
}

func TestSectionsAreReadWholeAndWrongOnesSayWhere(t *testing.T) {
	s, err := load(t, `sources:
  - {name: shop, repository: "https://git.example/shop.git", path: experiments, secret: {env: TOKEN}}
  - {name: here, folder: ./x}
governor:
  runs: 3
  share: 5%
  freezes:
    - {name: incident, probe: http, with: {url: "http://x", headers: {X-Key: {env: KEY}}}, expect: {status: 200}}
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	here, _ := os.Getwd()
	g := s.Live().Governor
	if len(s.Server.Sources) != 2 || s.Server.Sources[0].Secret.Env != "TOKEN" || s.Server.Sources[1].Folder != filepath.Join(here, "x") || g.Runs != 3 || g.Share != 0.05 {
		t.Errorf("%+v", s.Server)
	}
	if !strings.Contains(string(g.Freezes[0].With), "X-Key") || g.Freezes[0].Every == 0 {
		t.Errorf("a freeze is read as %+v", g.Freezes[0])
	}
	_, err = load(t, `sources:
  - name: shop
    fodler: ./x
  - {name: shop, folder: ./a, repository: "https://u:p@git.example/x", poll: 1ms}
governor: {runs: many, freezes: [{probe: http}]}
notify: [{name: x, kind: pigeon}]
tokens: [{name: a, role: veiwer, hash: x}, {role: admin}]
`, nil, nil)
	for _, want := range []string{`mishap.yaml:3:13: sources[0].fodler: unknown key "fodler"; did you mean "folder"?`, "needs either a folder or a repository", "a name of its own",
		"has a password in its URL", "outside of 1s to 24h", "mishap.yaml:5:18: governor.runs: must be", "needs a name and a probe", "slack",
		`mishap.yaml:7:26: tokens: token 1 needs a role, not "veiwer"; did you mean "viewer"?`, "token 1 needs a hash", "token 2 needs a name", "token 2 needs a hash"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
}

func TestASecretInPlainTextIsRefusedAndNotRepeated(t *testing.T) {
	_, err := load(t, `sources: [{name: shop, repository: "https://git.example/shop.git", secret: hunter2}]
notify: [{name: x, kind: webhook, url: "http://x", secret: hunter2}]
webhook: {secret: hunter2}
`, nil, nil)
	for _, want := range []string{"mishap.yaml:1:76: sources: the secret of source 1", "mishap.yaml:2:60: notify: the secret of entry 1", "mishap.yaml:3:19: webhook:", "write webhook: {secret: {env: MISHAP_WEBHOOK_SECRET}}"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %q in %v", want, err)
		}
	}
}

// Whoever has the URL of an incoming webhook can post to it.
func TestAURLThatIsASecretIsRefusedInPlainText(t *testing.T) {
	for url, refused := range map[string]bool{
		`{kind: slack, url: "https://hooks.slack.com/services/T0/B0/hunter2"}`: true, `{kind: slack, url: "https://proxy.example/hunter2"}`: true,
		`{kind: webhook, url: "https://hooks.slack.com/services/T0/B0/hunter2"}`: true, `{kind: webhook, url: "https://me:hunter2@x.example/"}`: true,
		`{kind: webhook, url: "https://hunter2@x.example/"}`: true, `{kind: webhook, url: "https://x.example/?token=hunter2"}`: true,
		`{kind: slack, url: {env: HUNTER}}`: false, `{kind: slack, url: "https://slack.com/api/chat.postMessage", channel: c, secret: {env: T}}`: false, `{kind: webhook, url: "https://x.example/"}`: false,
	} {
		_, err := load(t, "notify:\n  - "+strings.Replace(url, "{", "{name: x, ", 1)+"\n", nil, nil)
		if (err != nil) != refused {
			t.Errorf("%s: %v", url, err)
		}
		if refused && (!strings.Contains(err.Error(), ": notify: the URL of entry 1 is a secret and stands in plain text; write url: {env: SLACK_URL} or {file: PATH}") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestEverySettingOfAProxyCanBeWritten(t *testing.T) {
	s, err := load(t, `proxies:
  - name: p
    listen: "127.0.0.1:1"
    upstream: "127.0.0.1:2"
    protocol: http
    control: "tcp://10.0.0.1:9"
    controlTLS: {cert: c, key: k, ca: a}
    edge: true
    egress: true
    sni: {"pay.example": "127.0.0.1:3"}
    tls: {cert: c, key: k, clientCA: a}
    upstreamTLS: {serverName: n, ca: a, cert: c, key: k}
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := s.Proxies[0]
	if !p.Edge || !p.Egress || p.TLS == nil || p.TLS.ClientCA == "" || p.UpstreamTLS == nil || p.UpstreamTLS.ServerName != "n" || p.ControlTLS.CA == "" || p.SNI["pay.example"] != "127.0.0.1:3" {
		t.Errorf("%+v", p)
	}
}

func TestLinksBeginWithTheAddressThatPeopleUse(t *testing.T) {
	for text, want := range map[string]string{
		"https://mishap.example": "https://mishap.example/runs/a%2Fb", "https://mishap.example:8443/": "https://mishap.example:8443/runs/a%2Fb",
		"http://127.0.0.1:7676": "http://127.0.0.1:7676/runs/a%2Fb", "": "",
	} {
		s, err := load(t, "publicURL: \""+text+"\"\n", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.PageOf("a/b"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"http://mishap.example", "mishap.example", "https://mishap.example/below", "https://a:b@mishap.example", "https://mishap.example?x", "javascript:alert(1)"} {
		if _, err := load(t, "publicURL: \""+text+"\"\n", nil, nil); err == nil || !strings.Contains(err.Error(), "mishap.yaml:1:12: publicURL") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSigningInWithAProviderNeedsAnAddressToComeBackTo(t *testing.T) {
	const oidc = "oidc: {issuer: 'https://login.example', audience: mishap, roles: {viewer: [all]}, signIn: {secret: {env: S}}}\n"
	s, err := load(t, "listen: 0.0.0.0:443\npublicURL: https://mishap.example\n"+oidc, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Live().OIDC.SignIn.Scopes; !slices.Equal(got, []string{"email", "profile"}) {
		t.Errorf("scopes %v", got)
	}
	if _, err := load(t, "listen: 0.0.0.0:443\n"+oidc, nil, nil); err == nil || !strings.Contains(err.Error(), "signIn needs the setting publicURL") {
		t.Errorf("without an address: %v", err)
	}
	if _, err := load(t, strings.Replace(oidc, "{env: S}", "plain", 1), nil, nil); err == nil {
		t.Error("a secret in plain text is taken")
	}
}
