package notify_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mishap/internal/notify"
)

func TestCheckSaysAllThatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		target notify.Target
		want   []string // one for each error
	}{
		{"webhook", notify.Target{Name: "a", Kind: notify.Webhook, URL: "http://in.cluster/x"}, nil},
		{"slack webhook", notify.Target{Name: "a", Kind: notify.Slack, URL: "https://hooks.slack.com/services/T/B/X"}, nil},
		{"slack api", notify.Target{Name: "a", Kind: notify.Slack, URL: "https://slack.com/api/chat.postMessage", Channel: "C", Secret: secret("x")}, nil},
		{"pagerduty", notify.Target{Name: "a", Kind: notify.PagerDuty, Secret: secret("x")}, nil},
		{"nothing", notify.Target{}, []string{"name is missing", "kind", "url is missing"}},
		{"slack in the clear", notify.Target{Name: "a", Kind: notify.Slack, URL: "http://hooks.slack.com/services/T"}, []string{"https"}},
		{"no scheme", notify.Target{Name: "a", Kind: notify.Webhook, URL: "hooks/secret"}, []string{"cannot be read"}},
		{"not a URL", notify.Target{Name: "a", Kind: notify.Webhook, URL: "https://h/%zzsecret"}, []string{"cannot be read"}},
		{"a file", notify.Target{Name: "a", Kind: notify.Webhook, URL: "file://h/secret"}, []string{`not "file"`}},
		{"slack api, bare", notify.Target{Name: "a", Kind: notify.Slack, URL: "https://slack.com/api/chat.postMessage"}, []string{"channel", "secret"}},
		{"channel of a webhook", notify.Target{Name: "a", Kind: notify.Slack, URL: "https://h/secret", Channel: "C"}, []string{"channel"}},
		{"no routing key", notify.Target{Name: "a", Kind: notify.PagerDuty}, []string{"secret"}},
		{"events", notify.Target{Name: "a", Kind: notify.PagerDuty, Secret: secret("x"), Events: []notify.Event{"x", notify.Digest}}, []string{"unknown", "page"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			if err := c.target.Check(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(c.want) {
				t.Fatalf("errors are %q", got)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) || strings.Contains(got[i], "h/secret") {
					t.Errorf("error is %q, not %q", got[i], want)
				}
			}
		})
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const path, token = "/services/T0AAA/B0BBB/pathSecret123", "xoxb-sEcReT"
	for _, c := range []struct {
		name   string
		kind   notify.Kind
		path   string
		answer string
	}{
		{"slack webhook", notify.Slack, path, "no_service " + path + " pathSecret123"},
		{"slack api", notify.Slack, path + "/chat.postMessage", "bad token " + token},
		{"pagerduty", notify.PagerDuty, path, "bad routing key " + token},
		{"webhook", notify.Webhook, path + "?key=" + token, "nothing at " + path + " for " + token},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := notify.Target{Name: "x", Kind: c.kind, Channel: "C", Secret: secret(token)}
			s, log := send(t, answering(status(400, c.answer)), target, c.path, notify.Message{Event: notify.Stranded, Run: "r"})
			target.URL = "https://user:" + token + "@hooks.example" + c.path
			l := &lines{}
			l.logger().Info("x", "target", target)
			slog.New(slog.NewJSONHandler(l, nil)).Info("x", "target", target)
			for _, text := range []string{s.LastError, log, l.String(), fmt.Sprintf("%v %+v %#v %s", target, target, target, target)} {
				if text == "" || strings.Contains(text, "athSecret") || strings.Contains(text, token) {
					t.Errorf("shown: %s", text)
				}
			}
			if !strings.Contains(s.LastError, "http://127.0.0.1:") || !strings.Contains(s.LastError, "400") {
				t.Errorf("error is %s", s.LastError)
			}
			// Nobody listens: the client's own error has the whole URL in it.
			target.URL = "http://127.0.0.1:1" + c.path
			if c.kind == notify.Webhook {
				target.URL = "https://127.0.0.1:1" + c.path
			}
			n := notify.New(notify.Options{Targets: []notify.Target{target}, GiveUp: 1})
			n.Tell(notify.Message{Event: notify.Stranded})
			err := closeAll(t, n)
			got := fmt.Sprint(n.Stats()[0].LastError, err)
			if strings.Contains(got, "athSecret") || strings.Contains(got, token) || !strings.Contains(got, "127.0.0.1:1") {
				t.Errorf("error is %s", got)
			}
		})
	}
}
