package notify

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// The headers of a webhook.
const (
	EventHeader     = "Mishap-Event"
	IDHeader        = "Mishap-Id"
	SignatureHeader = "Mishap-Signature"
)

// webhook posts a message as it is.
type webhook struct{ signed bool }

func (h webhook) request(m Message, secret string, now time.Time) (http.Header, []byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, nil, err
	}
	header := jsonHeader()
	header.Set(EventHeader, string(m.Event))
	header.Set(IDHeader, m.ID)
	if h.signed {
		header.Set(SignatureHeader, sign(secret, body, now))
	}
	return header, body, nil
}

func (webhook) accept(Message, answer) error { return nil }

// unknown is the sender of a target whose kind was never checked.
type unknown struct{}

func (unknown) request(Message, string, time.Time) (http.Header, []byte, error) {
	return nil, nil, errors.New("the target's kind is unknown")
}

func (unknown) accept(Message, answer) error { return nil }

func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json"}}
}
