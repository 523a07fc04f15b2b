package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// twice are two values of every setting.
var twice = map[string][2]string{
	"state": {"/a", "/b"}, "accounts": {"['111122223333']", "['444455556666']"}, "regions": {"[eu-west-1]", "[eu-west-2]"}, "hosts": {"[a]", "[a, b]"},
	"optInTag": {"a=b", "a=c"}, "vault": {"/a", "none"}, "vaultKey": {"a", "b"}, "protected": {"['process/a']", "['process/b']"}, "longestRun": {"1h", "2h"},
	"revertWithin": {"1m", "2m"}, "lease": {"10s", "11s"}, "ledger": {"'postgres://u:one@h/m'", "'postgres://u:two@h/m'"}, "serverLease": {"15s", "16s"},
	"proxies": {"[{name: a, listen: 'h:1', upstream: 'h:2'}]", "[{name: a, listen: 'h:1', upstream: 'h:3'}]"}, "otlp": {"127.0.0.1:1", "127.0.0.1:2"},
	"listen": {"127.0.0.1:3", "127.0.0.1:4"}, "publicURL": {"https://a.example", "https://b.example"}, "sources": {"[{name: a, folder: /a}]", "[{name: a, folder: /b}]"},
	"governor": {"{runs: 1}", "{runs: 2}"}, "allow": {"{env: [a]}", "{env: [b]}"}, "webhook": {"{secret: {env: A}}", "{secret: {env: B}}"},
	"notify": {"[{name: a, kind: webhook, url: 'https://a.example'}]", "[]"}, "tls": {"{cert: a, key: b}", "{cert: a, key: c}"}, "keep": {"{runs: 1}", "{runs: 2}"},
	"tokens":  {"[]", "[{name: a, role: viewer, hash: 'sha256:" + strings.Repeat("0", 64) + "'}]"},
	"notices": {"{before: 1m}", "{before: 2m}"}, "labels": {"{Zone: a}", "{zone: a}"},
	"oidc": {"{issuer: 'https://a.example', audience: a, roles: {viewer: [a]}}", "{issuer: 'https://a.example', audience: a, roles: {viewer: [b]}}"},
}

// A setting says what a reload does with it, and that is so: what is taken over stands where
// it can change while others read it, and nothing else does.
func TestEverySettingSaysWhatAReloadDoes(t *testing.T) {
	var before string
	for _, key := range slices.Sorted(maps.Keys(twice)) {
		before += key + ": " + twice[key][0] + "\n"
	}
	was, err := loadText(t, before)
	if err != nil {
		t.Fatal(err)
	}
	fixed := func(s Settings) Settings {
		s.File, s.Values, s.read, s.tree, s.live = "", nil, Options{}, nil, nil
		return s
	}
	moves := func(s Settings) Live {
		l := *s.Live()
		l.given = nil
		return l
	}
	for _, one := range settings(Options{LookupEnv: func(string) (string, bool) { return "", false }}) {
		values, ok := twice[one.key]
		if !ok || one.reload == "" {
			t.Errorf("%s: say in the table of settings whether a reload takes it over, and give it two values here", one.key)
			continue
		}
		is, err := loadText(t, strings.Replace(before, one.key+": "+values[0]+"\n", one.key+": "+values[1]+"\n", 1))
		if err != nil {
			t.Errorf("%s: %v", one.key, err)
			continue
		}
		take, restart := was.Differences(&is)
		all := slices.Concat(take, restart)
		if len(all) != 1 || all[0].Key != one.key || !strings.Contains(all[0].String(), "mishap.yaml:") {
			t.Errorf("%s: it differs in %v", one.key, all)
			continue
		}
		taken := len(take) == 1
		if taken == reflect.DeepEqual(moves(was), moves(is)) || taken != reflect.DeepEqual(fixed(was), fixed(is)) {
			t.Errorf("%s: taken over is %t, and it stands elsewhere", one.key, taken)
		}
		was.Put(is.Live())
		if take, _ := was.Differences(&is); len(take) > 0 {
			t.Errorf("%s: once taken over it still differs: %v", one.key, take)
		}
		if was, err = loadText(t, before); err != nil {
			t.Fatal(err)
		}
	}
}

// Nobody takes the last token away from an API that others reach.
func TestNoReloadLeavesAnAPIOpen(t *testing.T) {
	token := &Live{Tokens: []Token{{Name: "a"}}}
	provider := &Live{OIDC: OIDC{Issuer: "https://a.example"}}
	for _, c := range []struct {
		listen, cert string
		live         *Live
		ok           bool
	}{
		{"127.0.0.1:7676", "", new(Live), true}, {"localhost:7676", "", new(Live), true}, {"none", "", new(Live), true},
		{":7676", "c", new(Live), false}, {"0.0.0.0:7676", "c", token, true}, {"0.0.0.0:7676", "", token, false}, {"[::]:7676", "c", provider, true}, {"mishap.example:1", "c", new(Live), false},
	} {
		s := &Settings{Listen: c.listen, Server: Server{TLS: TLS{Cert: c.cert}}}
		if err := s.Beyond(c.live); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Who waits for other settings learns of them, and finds them whole.
func TestSettingsChangeAllAtOnce(t *testing.T) {
	s := &Settings{}
	s.Put(&Live{PublicURL: "0", Labels: map[string]string{"n": "0"}})
	over := make(chan string)
	for range 4 {
		go func() {
			for {
				changed := s.Changed()
				l := s.Live()
				if l.PublicURL != l.Labels["n"] {
					over <- fmt.Sprintf("%s with %s", l.PublicURL, l.Labels["n"])
					return
				}
				if l.PublicURL == "99" {
					over <- ""
					return
				}
				<-changed
			}
		}()
	}
	for i := range 100 {
		s.Put(&Live{PublicURL: fmt.Sprint(i), Labels: map[string]string{"n": fmt.Sprint(i)}})
	}
	for range 4 {
		if said := <-over; said != "" {
			t.Error(said)
		}
	}
}
