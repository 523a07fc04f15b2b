package notify

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	slackThreads = 1000 // runs whose thread is known
	slackText    = 2999 // bytes in a block's text, which may have 3000 characters
	slackFields  = 2000 // of these for the small print, before its link
)

// slack posts to an incoming webhook, or with chat.postMessage to a channel with
// a thread for each run.
type slack struct {
	api     bool
	channel string
	threads map[string]string // the first message of a run
	runs    []string          // oldest first
}

func newSlack(t Target) *slack {
	return &slack{api: t.postsMessages(), channel: t.Channel, threads: map[string]string{}}
}

// slackPost is what Slack takes. An incoming webhook knows the first two only.
type slackPost struct {
	Text      string       `json:"text"`
	Blocks    []slackBlock `json:"blocks"`
	Channel   string       `json:"channel,omitempty"`
	Thread    string       `json:"thread_ts,omitempty"`
	Broadcast bool         `json:"reply_broadcast,omitempty"`
}

type slackBlock struct {
	Type     string     `json:"type"`
	Text     *slackMrkd `json:"text,omitempty"`
	Elements []any      `json:"elements,omitempty"`
}

type slackMrkd struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

func (s *slack) request(m Message, secret string, _ time.Time) (http.Header, []byte, error) {
	text := escapeSlack(m.Text, slackText)
	post := slackPost{Text: text, Blocks: []slackBlock{{Type: "section", Text: &slackMrkd{"mrkdwn", text}}}}
	if about := slackAbout(m); about != "" {
		post.Blocks = append(post.Blocks, slackBlock{Type: "context", Elements: []any{slackMrkd{"mrkdwn", about}}})
	}
	header := jsonHeader()
	if s.api {
		header.Set("Content-Type", "application/json; charset=utf-8") // Slack warns without
		header.Set("Authorization", "Bearer "+secret)
		post.Channel, post.Thread = s.channel, s.threads[m.Run]
		// A reply is seen by those who follow its thread; this is for all.
		post.Broadcast = post.Thread != "" && m.Event.urgent()
	}
	body, err := json.Marshal(post)
	return header, body, err
}

func (s *slack) accept(m Message, a answer) error {
	var said struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
		TS    string `json:"ts"`
	}
	unread := json.Unmarshal(a.body, &said) != nil || said.OK == nil
	if unread && !s.api {
		return nil // an incoming webhook says ok, and not in JSON
	}
	if unread {
		return errors.New("slack's answer cannot be read")
	}
	if !*said.OK {
		return &failure{
			text:  "slack answered " + cut(said.Error, longestQuote),
			again: said.Error == "ratelimited" || said.Error == "rate_limited",
		}
	}
	s.remember(m.Run, said.TS)
	return nil
}

// remember keeps the first message of a run as its thread.
func (s *slack) remember(run, ts string) {
	if run == "" || ts == "" || s.threads[run] != "" {
		return
	}
	s.threads[run] = ts
	s.runs = append(s.runs, run)
	if len(s.runs) > slackThreads {
		delete(s.threads, s.runs[0])
		s.runs = s.runs[1:]
	}
}

// slackAbout is the small print under a message.
func slackAbout(m Message) string {
	var parts []string
	for _, field := range []struct{ name, value string }{
		{"experiment", m.Experiment}, {"run", m.Run}, {"verdict", string(m.Verdict)}, {"state", string(m.State)},
		{"owner", m.Owner}, {"group", m.Group}, {"reason", m.Reason},
	} {
		if field.value != "" {
			parts = append(parts, field.name+" "+cut(field.value, longestQuote))
		}
	}
	about := escapeSlack(strings.Join(parts, " · "), slackFields)
	link := slackLink(m.Link)
	if about != "" && link != "" {
		about += " · "
	}
	return about + link
}

// slackLink is empty for what is no link, or too long for one.
func slackLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	escaped := strings.ReplaceAll(escapeSlack(u.String(), slackText), "|", "%7C")
	if len(escaped) > (slackText-slackFields)*9/10 {
		return ""
	}
	return "<" + escaped + "|report>"
}

// escapeSlack makes text what it says: without it <!channel> would call
// everybody. It is cut where the escaped text would be longer than limit.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func escapeSlack(text string, limit int) string {
	var b strings.Builder
	left := limit
	for _, r := range text {
		piece := string(r)
		switch r {
		case '&':
			piece = "&amp;"
		case '<':
			piece = "&lt;"
		case '>':
			piece = "&gt;"
		}
		if left -= len(piece); left < len("…") {
			return b.String() + "…"
		}
		b.WriteString(piece)
	}
	return b.String()
}
