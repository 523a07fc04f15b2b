package notify_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"mishap/internal/notify"
)

type slackBody struct {
	Text      string `json:"text"`
	Channel   string `json:"channel"`
	Thread    string `json:"thread_ts"`
	Broadcast bool   `json:"reply_broadcast"`
	Blocks    []struct {
		Type string `json:"type"`
		Text struct{ Type, Text string }
	} `json:"blocks"`
}

func readSlack(t *testing.T, r request) (b slackBody) {
	t.Helper()
	if err := json.Unmarshal(r.body, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestASlackWebhookGetsEscapedTextAndBlocks(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "all went well", "all went well"},
		{"nobody is called", "<!channel> a & b > c", "&lt;!channel&gt; a &amp; b &gt; c"},
		{"long", strings.Repeat("&", 5000), strings.Repeat("&amp;", 599) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := answering(status(200, "ok"))
			s, _ := send(t, r, notify.Target{Kind: notify.Slack}, "/services/T/B/X",
				notify.Message{Event: notify.Ended, Run: "r1", Link: "https://m/r|1", Text: c.text})
			if s.Sent != 1 {
				t.Fatalf("stats are %+v", s)
			}
			b := readSlack(t, r.requests()[0])
			if b.Text != c.want || b.Blocks[0].Text.Text != c.want || b.Blocks[0].Text.Type != "mrkdwn" || b.Channel != "" {
				t.Errorf("body is %s", r.requests()[0].body)
			}
			if !strings.Contains(string(r.requests()[0].body), `run r1 · \u003chttps://m/r%7C1|report\u003e`) {
				t.Errorf("no link in %s", r.requests()[0].body)
			}
		})
	}
}

// slackAPI gives each message the next ts.
func slackAPI() *receiver {
	n := 0
	return answering(func(w http.ResponseWriter) {
		n++
		_, _ = fmt.Fprintf(w, `{"ok":true,"ts":"%d.0"}`, n)
	})
}

func slackTarget() notify.Target {
	return notify.Target{Name: "s", Kind: notify.Slack, Channel: "C1", Secret: secret("xoxb-token\n")}
}

func TestChatPostMessageHasOneThreadPerRun(t *testing.T) {
	r := slackAPI()
	s, _ := send(t, r, slackTarget(), "/api/chat.postMessage",
		notify.Message{Event: notify.Started, Run: "a"}, // 1.0
		notify.Message{Event: notify.Started, Run: "b"}, // 2.0
		notify.Message{Event: notify.Ended, Run: "a"},
		notify.Message{Event: notify.Stranded, Run: "b"},
		notify.Message{Event: notify.Digest}, notify.Message{Event: notify.Digest},
		notify.Message{Event: notify.Planned, Run: "a"}) // Slack is not told of it
	if s.Sent != 6 {
		t.Fatalf("stats are %+v", s)
	}
	for i, want := range []string{"", "", "1.0", "2.0", "", ""} {
		got := r.requests()[i]
		b := readSlack(t, got)
		if b.Thread != want || b.Channel != "C1" || b.Broadcast != (i == 3) {
			t.Errorf("message %d is %+v, want thread %q", i, b, want)
		}
		if got.header.Get("Authorization") != "Bearer xoxb-token" {
			t.Error("it has no token")
		}
	}
}

func TestThreadsAreKeptForTheLastThousandRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := slackAPI()
		target := slackTarget()
		target.URL = "https://slack.com/api/chat.postMessage"
		n := notify.New(notify.Options{Targets: []notify.Target{target}, Client: &http.Client{Transport: r}, Queue: 2000})
		for i := range 1001 {
			n.Tell(notify.Message{Event: notify.Started, Run: fmt.Sprint(i)})
		}
		n.Tell(notify.Message{Event: notify.Ended, Run: "1"})
		n.Tell(notify.Message{Event: notify.Ended, Run: "0"})
		if err := closeAll(t, n); err != nil {
			t.Fatal(err)
		}
		if got := readSlack(t, r.requests()[1001]).Thread; got != "2.0" {
			t.Errorf("run 1 is in thread %q", got)
		}
		if got := readSlack(t, r.requests()[1002]).Thread; got != "" {
			t.Errorf("run 0 is still in thread %q", got)
		}
	})
}

func TestSlacksNotOKIsAnError(t *testing.T) {
	for _, c := range []struct {
		name, path string
		first      func(http.ResponseWriter)
		sent       uint64
		tries      int
	}{
		{"refused", "/api/chat.postMessage", status(200, `{"ok":false,"error":"channel_not_found"}`), 0, 1},
		{"rate limited", "/api/chat.postMessage", status(200, `{"ok":false,"error":"ratelimited"}`), 1, 2},
		{"not Slack's answer", "/api/chat.postMessage", status(200, "<html>"), 0, 1},
		{"webhook gone", "/services/T/B/X", status(404, "no_service"), 0, 1},
		{"webhook says not ok", "/services/T/B/X", status(200, `{"ok":false,"error":"x"}`), 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := answering(c.first, func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"ok":true,"ts":"1.0"}`) })
			s, log := send(t, r, slackTarget(), c.path, notify.Message{Event: notify.Ended, Run: "a"})
			if s.Sent != c.sent || s.Failed != 1-c.sent || len(r.requests()) != c.tries {
				t.Errorf("stats are %+v after %d tries; log:\n%s", s, len(r.requests()), log)
			}
		})
	}
}
