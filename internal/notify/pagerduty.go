package notify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	pagerSummary = 1024 // characters PagerDuty takes
	pagerKey     = 255
)

// pagerDuty triggers and resolves incidents, one for each run.
// https://developer.pagerduty.com/docs/send-alert-event
type pagerDuty struct{}

type pagerEvent struct {
	RoutingKey string        `json:"routing_key"`
	Action     string        `json:"event_action"`
	DedupKey   string        `json:"dedup_key"`
	Payload    *pagerPayload `json:"payload,omitempty"`
	Links      []pagerLink   `json:"links,omitempty"`
	Client     string        `json:"client,omitempty"`
}

type pagerPayload struct {
	Summary   string    `json:"summary"`
	Source    string    `json:"source"`
	Severity  string    `json:"severity"`
	Timestamp time.Time `json:"timestamp"`
	Component string    `json:"component,omitempty"`
	Group     string    `json:"group,omitempty"`
	Class     string    `json:"class,omitempty"`
	Details   Message   `json:"custom_details"`
}

type pagerLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

func (pagerDuty) request(m Message, secret string, _ time.Time) (http.Header, []byte, error) {
	e := pagerEvent{RoutingKey: secret, DedupKey: dedupKey(m)}
	switch m.Event {
	case Reverted:
		e.Action = "resolve"
	case Stranded:
		e.trigger(m, "critical")
	case NotRecovered:
		e.trigger(m, "error")
	default:
		return nil, nil, fmt.Errorf("event %q is nothing to page for", m.Event)
	}
	body, err := json.Marshal(e)
	return jsonHeader(), body, err
}

func (e *pagerEvent) trigger(m Message, severity string) {
	source := "mishap"
	if m.Repository != "" {
		source = m.Repository
	}
	e.Action, e.Client = "trigger", "mishap"
	e.Payload = &pagerPayload{
		Summary: cut(m.Text, pagerSummary), Source: source, Severity: severity, Timestamp: m.At,
		Component: m.Experiment, Group: m.Group, Class: string(m.Event), Details: m,
	}
	if m.Link != "" {
		e.Links = []pagerLink{{Href: m.Link, Text: "report"}}
	}
}

func (pagerDuty) accept(Message, answer) error { return nil }

// dedupKey is the same for all messages of a run, so that one resolves another.
func dedupKey(m Message) string {
	if m.Run == "" {
		return cut("mishap/"+m.ID, pagerKey)
	}
	return cut("mishap/"+m.Run, pagerKey)
}
