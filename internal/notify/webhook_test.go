package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/notify"
)

func TestAWebhookIsTheMessageSigned(t *testing.T) {
	r := answering(status(204, ""))
	m := notify.Message{ID: "m1", Event: notify.Ended, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Run: "r1",
		Experiment: "e", Group: "g", Owner: "o", Claim: "c", State: mishap.Completed, Verdict: mishap.Deviated, Reason: "why",
		Commit: "abc", Path: "p", Repository: "repo", Link: "https://x/y", Text: "it deviated"}
	s, _ := send(t, r, notify.Target{Name: "hook", Kind: notify.Webhook, Secret: secret("key")}, "/x", m)
	if s.Sent != 1 || s.Queued != 0 || s.LastError != "" {
		t.Fatalf("stats are %+v", s)
	}
	got := r.requests()[0]
	for name, want := range map[string]string{"Content-Type": "application/json", "User-Agent": "mishap",
		"Mishap-Event": "ended", "Mishap-Id": "m1"} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, not %q", name, got.header.Get(name), want)
		}
	}
	var back notify.Message
	if err := json.Unmarshal(got.body, &back); err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("body is %s: %v", got.body, err)
	}
	unix, v1, _ := strings.Cut(strings.TrimPrefix(got.header.Get("Mishap-Signature"), "t="), ",v1=")
	if want := sum("key", unix+"."+string(got.body)); v1 != want {
		t.Errorf("signature is %s, not %s", v1, want)
	}
	if err := notify.Verify("key", got.header, got.body, time.Now(), time.Minute); err != nil {
		t.Error(err)
	}
}

func TestAWebhookWithoutSecretIsUnsignedAndAMessageIsNeverWithoutWords(t *testing.T) {
	r := answering()
	send(t, r, notify.Target{Kind: notify.Webhook}, "", notify.Message{Event: notify.Refused, Experiment: "e", Reason: "busy"})
	got := r.requests()[0]
	if got.header.Get("Mishap-Signature") != "" {
		t.Error("it is signed")
	}
	var m notify.Message
	if err := json.Unmarshal(got.body, &m); err != nil || m.ID == "" || m.At.IsZero() || m.Text != "mishap: e refused (busy)" {
		t.Errorf("message is %+v", m)
	}
}

func sum(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	body := `{"a":1}`
	at := func(ago time.Duration, key string) string {
		unix := fmt.Sprint(now.Add(-ago).Unix())
		return "t=" + unix + ",v1=" + sum(key, unix+"."+body)
	}
	for _, c := range []struct {
		name, secret, header, value string
		ok                          bool
	}{
		{"signed now", "k", "Mishap-Signature", at(0, "k"), true},
		{"signed a minute ago", "k", "Mishap-Signature", at(time.Minute, "k"), true},
		{"signed by a clock ahead", "k", "Mishap-Signature", at(-time.Minute, "k"), true},
		{"signed too long ago", "k", "Mishap-Signature", at(time.Hour, "k"), false},
		{"signed in the future", "k", "Mishap-Signature", at(-time.Hour, "k"), false},
		{"signed with another key", "k", "Mishap-Signature", at(0, "other"), false},
		{"one of two keys", "k", "Mishap-Signature", at(0, "k") + ",v1=00", true},
		{"spaces and unknown schemes", "k", "Mishap-Signature", "v0=x, " + at(0, "k"), true},
		{"no time", "k", "Mishap-Signature", "v1=" + sum("k", body), false},
		{"another time", "k", "Mishap-Signature", "t=1,v1=" + sum("k", "2."+body), false},
		{"no signature", "k", "Mishap-Signature", fmt.Sprint("t=", now.Unix()), false},
		{"not hex", "k", "Mishap-Signature", fmt.Sprint("t=", now.Unix(), ",v1=zz"), false},
		{"github", "k", "X-Hub-Signature-256", "sha256=" + sum("k", body), true},
		// The example of GitHub's documentation is below.
		{"github, another key", "k", "X-Hub-Signature-256", "sha256=" + sum("other", body), false},
		{"github, no prefix", "k", "X-Hub-Signature-256", sum("k", body), false},
		{"github, cut", "k", "X-Hub-Signature-256", "sha256=", false},
		{"gitlab", "k", "X-Gitlab-Token", "k", true},
		{"gitlab, another", "k", "X-Gitlab-Token", "kk", false},
		{"unsigned", "k", "X-Other", "k", false},
		{"no secret, signed with none", "", "Mishap-Signature", at(0, ""), false},
		{"no secret, github", "", "X-Hub-Signature-256", "sha256=" + sum("", body), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := notify.Verify(c.secret, http.Header{http.CanonicalHeaderKey(c.header): {c.value}}, []byte(body), now, 5*time.Minute)
			if (err == nil) != c.ok {
				t.Errorf("error is %v", err)
			}
			if err != nil && !errors.Is(err, notify.ErrSignature) {
				t.Errorf("%v is no ErrSignature", err)
			}
		})
	}
}

func TestVerifyKnowsGitHubsPublishedExample(t *testing.T) {
	// "Testing the webhook payload validation" of the page Verify names.
	header := http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}
	err := notify.Verify("It's a Secret to Everybody", header, []byte("Hello, World!"), time.Now(), time.Minute)
	if err != nil {
		t.Error(err)
	}
}

func TestVerifyNeverFallsBack(t *testing.T) {
	header := http.Header{"Mishap-Signature": {"t=1,v1=00"}, "X-Gitlab-Token": {"k"}}
	if err := notify.Verify("k", header, nil, time.Now(), time.Hour); err == nil {
		t.Error("a wrong signature was saved by a token")
	}
}

func TestARedirectThatWouldLoseTheMessageIsARefusal(t *testing.T) {
	other := answering()
	elsewhere := httptest.NewServer(other)
	defer elsewhere.Close()
	for _, c := range []struct {
		name, to string
		code     int
		sent     uint64
	}{
		{"to another host", elsewhere.URL, 307, 0},
		{"into a GET", "/there", 302, 0},
		{"on the same host", "/there", 307, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			there := answering()
			mux := http.NewServeMux()
			mux.Handle("/there", there)
			mux.Handle("/", http.RedirectHandler(c.to, c.code))
			s, _ := send(t, mux, notify.Target{Kind: notify.Webhook}, "/here", notify.Message{Event: notify.Ended})
			if s.Sent != c.sent || len(there.requests()) != int(c.sent) || len(other.requests()) != 0 {
				t.Errorf("stats are %+v", s)
			}
			if c.sent == 1 && !strings.Contains(string(there.requests()[0].body), `"event":"ended"`) {
				t.Error("the message was lost on the way")
			}
		})
	}
}
