package notify

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"mishap"
)

// Kind is the protocol a target speaks.
type Kind string

// The kinds.
const (
	Webhook   Kind = "webhook"   // JSON of Message, signed
	Slack     Kind = "slack"     // an incoming webhook, or chat.postMessage
	PagerDuty Kind = "pagerduty" // Events API v2
)

// pagerDutyURL is where PagerDuty takes events (its service region US; EU has
// its own host, to be given as the target's URL).
const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// Target is who is told.
type Target struct {
	Name string
	Kind Kind
	// URL is the webhook's, a Slack incoming webhook's, or that of Slack's
	// chat.postMessage. PagerDuty has a default. Its path may be a secret, and
	// is never shown.
	URL     string
	Channel string // for chat.postMessage only
	// Secret is the HMAC key of a webhook (nil: unsigned), the bot token of
	// chat.postMessage, or the routing key of PagerDuty. It is asked at each
	// sending, so that it can be rotated. Its error is shown to people, and
	// must not hold the secret.
	Secret func() (string, error)
	// Events are what the target is told of. Empty means the default of its
	// kind: a webhook is told everything, Slack everything but planned, and
	// PagerDuty stranded and notRecovered, which trigger an incident, and
	// reverted, which resolves it.
	Events []Event
}

// String names the target without what is secret in its URL.
func (t Target) String() string {
	return fmt.Sprintf("%s (%s %s)", t.Name, t.Kind, t.base())
}

// GoString is String, so that no verb shows the URL.
func (t Target) GoString() string { return t.String() }

// LogValue is String, so that no log shows the URL.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Check says what is wrong with the target, all at once.
func (t Target) Check() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("check target %q: "+format, append([]any{t.Name}, args...)...))
	}
	if t.Name == "" {
		bad("name is missing")
	}
	if !slices.Contains([]Kind{Webhook, Slack, PagerDuty}, t.Kind) {
		bad("kind %q is none of webhook, slack, pagerduty; %s", t.Kind, mishap.Suggest(string(t.Kind), names([]Kind{Webhook, Slack, PagerDuty})))
	}
	if why := t.checkURL(); why != "" {
		bad("%s", why)
	}
	if t.Channel != "" && !t.postsMessages() {
		bad("channel is for Slack's chat.postMessage only: an incoming webhook has its own")
	}
	if t.Channel == "" && t.postsMessages() {
		bad("channel is missing")
	}
	if t.Secret == nil && t.needsSecret() {
		bad("secret is missing")
	}
	for _, e := range t.Events {
		switch {
		case !slices.Contains(Events(), e):
			bad("event %q is unknown; %s", e, mishap.Suggest(string(e), names(Events())))
		case t.Kind == PagerDuty && !slices.Contains(t.Kind.events(), e):
			bad("event %q is nothing to page for", e)
		}
	}
	return errors.Join(errs...)
}

func names[word ~string](all []word) (texts []string) {
	for _, one := range all {
		texts = append(texts, string(one))
	}
	return texts
}

// checkURL says what is wrong with the URL, without showing it.
func (t Target) checkURL() string {
	u, err := url.Parse(t.url())
	switch {
	case t.url() == "":
		return "url is missing"
	case err != nil || u.Host == "":
		return "url cannot be read"
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("url must be https or http, not %q", u.Scheme)
	case u.Scheme == "http" && t.Kind != Webhook && !loopback(u.Hostname()):
		return "url must be https, as a secret is sent to it"
	}
	return ""
}

// wants reports whether the target is to be told of the event.
func (t Target) wants(e Event) bool {
	if len(t.Events) > 0 {
		return slices.Contains(t.Events, e)
	}
	return slices.Contains(t.Kind.events(), e)
}

// events are what a kind is told of by default.
func (k Kind) events() []Event {
	switch k {
	case PagerDuty:
		return []Event{Stranded, NotRecovered, Reverted}
	case Slack:
		return slices.DeleteFunc(Events(), func(e Event) bool { return e == Planned })
	default:
		return Events()
	}
}

func (t Target) url() string {
	if t.URL == "" && t.Kind == PagerDuty {
		return pagerDutyURL
	}
	return t.URL
}

// base is what may be shown of the URL.
func (t Target) base() string {
	u, err := url.Parse(t.url())
	if err != nil {
		return "(no URL)"
	}
	return u.Scheme + "://" + u.Host
}

// postsMessages reports whether the target is Slack's Web API rather than an
// incoming webhook.
func (t Target) postsMessages() bool {
	u, err := url.Parse(t.URL)
	return err == nil && t.Kind == Slack && strings.HasSuffix(u.Path, "/chat.postMessage")
}

func (t Target) needsSecret() bool { return t.Kind == PagerDuty || t.postsMessages() }

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// scrub takes out of a text what must not be shown: the secret, and whatever of
// the URL is neither its scheme nor its host.
func (t Target) scrub(text, secret string) string {
	hide := []string{t.URL, secret}
	if u, err := url.Parse(t.URL); err == nil {
		password, _ := u.User.Password()
		hide = append(hide, u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery, u.User.Username(), password)
		for part := range strings.SplitSeq(u.Path, "/") {
			if len(part) >= 8 { // shorter ones are words
				hide = append(hide, part)
			}
		}
	}
	slices.SortFunc(hide, func(a, b string) int { return len(b) - len(a) })
	for _, h := range hide {
		if h != "" && h != "/" {
			text = strings.ReplaceAll(text, h, "***")
		}
	}
	return text
}
