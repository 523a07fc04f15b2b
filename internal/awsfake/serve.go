package awsfake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap/internal/awsfake/wire"
)

// Service is one API: its actions by name.
type Service struct {
	prefix  string // of its actions in policies
	actions map[string]action

	policied bool // its resources have policies of their own, which count in all it does

	route  func(q wire.Request) (name string, in Doc) // of REST, where method and path say what is meant
	settle func(c *Cloud, p Place)                    // puts there what every account has
}

// action is one operation of an API.
type action struct {
	do    func(k *call) (Doc, error)
	needs func(k *call) []Need // what it must be allowed; none: its own name, on *
	free  bool                 // nobody needs a permission for it
}

// call is one that is being answered.
type call struct {
	*Cloud
	Place
	q    wire.Request
	who  identity
	name string // of the action
	in   Doc

	pageSize int // the most of a page, if the action has one of its own
}

// Config is one whose calls come here without a socket, so that they may be made
// in a synctest bubble.
func (c *Cloud) Config(key, region string) aws.Config {
	return aws.Config{
		Region: region, HTTPClient: c,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
	}
}

// errLost is what a client sees when its answer was lost.
var errLost = errors.New("connection reset by peer")

// Do answers a request in the goroutine that asks.
func (c *Cloud) Do(r *http.Request) (*http.Response, error) {
	a, err := c.answer(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: a.Status, Status: http.StatusText(a.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: int64(len(a.Body)),
	}, nil
}

// ServeHTTP answers a request that came over a socket.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := c.answer(r)
	if err != nil {
		panic(http.ErrAbortHandler) // which cuts the connection
	}
	for name := range a.Header {
		w.Header().Set(name, a.Header.Get(name))
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // whoever asked may be gone
}

func (c *Cloud) answer(r *http.Request) (wire.Answer, error) {
	var out Doc
	var fate Fate
	q, err := wire.Read(r)
	if err != nil {
		err = &Error{Status: http.StatusForbidden, Code: "MissingAuthenticationToken", Message: err.Error()}
	} else {
		out, fate, err = c.call(q)
	}
	if fate.AnswerAfter > 0 {
		select {
		case <-time.After(fate.AnswerAfter):
		case <-r.Context().Done():
		}
	}
	if gone := r.Context().Err(); gone != nil {
		return wire.Answer{}, gone
	}
	var refused *Error
	var a wire.Answer
	switch {
	case fate.Lost:
		return a, errLost
	case errors.As(err, &refused):
		a = q.Refuse(refused, "req-fake")
	case err != nil:
		return a, err
	default:
		a = q.Answer(out, "req-fake")
	}
	a.Header.Set("Date", c.Now().UTC().Format(http.TimeFormat))
	return a, nil
}

// call lets a call have its fate, and its effect.
func (c *Cloud) call(q wire.Request) (Doc, Fate, error) {
	unlock := c.lock()
	s, k, err := c.understand(q)
	if err != nil {
		unlock()
		return nil, Fate{}, err
	}
	a := s.actions[k.name]
	record := k.record(s, a)
	err = c.throttled(s, record)
	unlock()

	fate := Fate{}
	if err == nil {
		fate = c.fateOf(record)
	}
	var out Doc
	unlock = c.lock()
	switch {
	case err != nil: // throttled
	case fate.Unreached:
	case fate.EffectAfter > 0:
		c.after(fate.EffectAfter, func() { _, _ = k.effect(s, a, record) }) // nobody hears
	default:
		out, err = k.effect(s, a, record)
		record.Done = err == nil
	}
	if err == nil && fate.Fail != "" {
		out, err = nil, fate.refusal()
	}
	if err != nil {
		record.Error = err.Error()
	}
	c.calls = append(c.calls, record)
	unlock()
	if fate.Then != nil {
		fate.Then()
	}
	return out, fate, err
}

// understand finds out who wants what.
func (c *Cloud) understand(q wire.Request) (Service, *call, error) {
	s, known := c.services[q.Service]
	if !known {
		return s, nil, fmt.Errorf("awsfake has no service %q", q.Service)
	}
	name, in := q.Action, q.In
	if s.route != nil {
		name, in = s.route(q)
	}
	if _, known := s.actions[name]; !known {
		return s, nil, &Error{Code: "InvalidAction", Message: fmt.Sprintf("awsfake has no action %q of %s (%s %s)", name, q.Service, q.Method, strings.Join(q.Path, "/"))}
	}
	who, err := c.who(q)
	if err != nil {
		return s, nil, err
	}
	k := &call{Cloud: c, Place: Place{who.account, q.Region}, q: q, who: who, name: name, in: in}
	if s.settle != nil {
		c.enter(k.Place)
	}
	return s, k, nil
}

// effect does what is asked, if it is allowed. A dry run ends before.
func (k *call) effect(s Service, a action, record Call) (Doc, error) {
	if err := k.denied(s, a, record); err != nil {
		return nil, err
	}
	if !k.in.Bool("DryRun") || s.prefix != "ec2" {
		return a.do(k)
	}
	for _, n := range record.Needs {
		if !strings.HasSuffix(n.Resource, "*") && k.now(n.Resource) == nil {
			return nil, unknown(n.Resource)
		}
	}
	return nil, &Error{Status: http.StatusPreconditionFailed, Code: "DryRunOperation", Message: "Request would have succeeded, but DryRun flag is set."}
}

// find is a resource as it is, or a refusal.
func (k *call) find(kind Kind, id string, missing *Error) (Doc, error) {
	if d := k.now(kind.ARN(k.Place, id)); d != nil {
		return d, nil
	}
	return nil, missing
}

// few makes pages of so many items, or as many as the call asks for, up to most.
func (k *call) few(size string, usual, most int) {
	if k.pageSize = usual; k.in.Has(size) {
		k.pageSize = most
	}
}

// paged are the items of one page, and the token of the next, or none.
func (k *call) paged(all []Doc, token, size string) (page []Doc, next any) {
	most := 1000
	if k.pageSize > 0 {
		most = k.pageSize
	}
	if k.Page > 0 {
		most = min(most, k.Page)
	}
	from := min(len(all), max(0, k.in.Int(token, 0)))
	to := min(len(all), from+min(most, k.in.Int(size, most)))
	if to < len(all) {
		next = fmt.Sprint(to)
	}
	return all[from:to], next
}
