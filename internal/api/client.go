package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/report"
	"mishap/internal/socket"
)

// followEvery is the first pause before a server is asked again.
const followEvery = 250 * time.Millisecond

// Client asks a server over its API for what the command line does with the ledger
// itself where it is given none.
type Client struct {
	base   string
	token  string
	client *http.Client
	pages  pages
}

// socketBase stands before paths that are asked for over a socket.
const socketBase = "http://mishap"

// NewClient makes one for a server's address: https://host:port, or the path of
// a server's socket. The token is that of the environment.
func NewClient(address string) (*Client, error) {
	r := &Client{token: os.Getenv("MISHAP_TOKEN"), client: &http.Client{Timeout: time.Minute, CheckRedirect: sameServer}}
	if strings.HasPrefix(address, "/") || strings.HasPrefix(address, ".") {
		r.base = socketBase
		r.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return socket.Dial(ctx, address)
		}}
		return r, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, mishap.Invalid(mishap.WithHint(fmt.Errorf("--server %q is not the address of a server", address), "write it like https://mishap.example:7676, or give the path of its socket"))
	}
	if u.Scheme == "http" && r.token != "" && !IsLocal(u.Host) {
		return nil, mishap.Invalid(mishap.WithHint(fmt.Errorf("--server %s: a token is not sent without TLS", address), "use https"))
	}
	r.base = strings.TrimSuffix(u.String(), "/")
	return r, nil
}

// sameServer lets a redirect be followed that stays with the server that the token
// is for: to another port or without TLS the library would take it along.
func sameServer(next *http.Request, before []*http.Request) error {
	const most = 10
	if first := before[0].URL; len(before) > most || next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// request makes a request, with the token.
func (r *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var sent io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, sent)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	return req, nil
}

// ask sends a request and reads the answer into out, which may be nil. A refusal
// has the sentence that the server gives.
func (r *Client) ask(ctx context.Context, method, path string, in, out any, change ...func(*http.Request)) error {
	req, err := r.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	for _, c := range change {
		c(req)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return mishap.WithHint(maybeLater(fmt.Errorf("ask the server: %w", err), nil), "is it running, and is --server right?")
	}
	defer resp.Body.Close()
	const most = 256 << 20
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch {
	case err != nil:
		return maybeLater(fmt.Errorf("ask the server: %w", err), nil)
	case resp.StatusCode > 299 && resp.StatusCode < 400:
		return mishap.WithHint(fmt.Errorf("%s leads to another server: %s", r.base, resp.Header.Get("Location")), "give the address of the server itself with --server")
	case resp.StatusCode > 299:
		return maybeLater(refusedBy(resp.StatusCode, text), resp)
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}

// refusedBy is a problem that the server answered, as the kind of error that it
// would be without a server.
func refusedBy(status int, text []byte) error {
	var p struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(text, &p) != nil || p.Detail == "" {
		p.Detail = http.StatusText(status)
	}
	err := fmt.Errorf("the server says: %s", p.Detail)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return mishap.Refusal(mishap.WithHint(err, "set MISHAP_TOKEN to a token with the right role"))
	case http.StatusConflict:
		return mishap.Refusal(err)
	case http.StatusNotFound, http.StatusBadRequest, http.StatusUnprocessableEntity:
		return mishap.Invalid(err)
	}
	return err
}

// Approvable is an experiment's plan as it is now, for somebody to approve.
func (r *Client) Approvable(ctx context.Context, experiment string) (a Approvable, err error) {
	err = r.ask(ctx, "POST", "/v1/experiments/"+url.PathEscape(experiment)+"/plan", nil, &a)
	return a, err
}

// Approve says yes to a plan of that digest.
func (r *Client) Approve(ctx context.Context, in ApproveRequest, by string) (a mishap.Approval, err error) {
	err = r.ask(ctx, "POST", "/v1/approvals", in, &a, asUser(by))
	return a, err
}

// Disapprove takes an approval back.
func (r *Client) Disapprove(ctx context.Context, experiment, by string) error {
	return r.ask(ctx, "DELETE", "/v1/approvals/"+url.PathEscape(experiment), nil, nil, asUser(by))
}

// Close does nothing.
func (r *Client) Close() { r.client.CloseIdleConnections() }

// Leftovers names nothing: the server deals with what lost servers left.
func (r *Client) Leftovers(context.Context) ([]string, error) { return nil, nil }

// Journal reads the entries of a run.
func (r *Client) Journal(ctx context.Context, which string) (entries []mishap.Entry, err error) {
	err = r.ask(ctx, "GET", "/v1/runs/"+url.PathEscape(which)+"/journal", nil, &entries)
	return entries, err
}

// Runs replays the latest runs, newest first.
func (r *Client) Runs(ctx context.Context, limit int) ([]*mishap.Run, error) {
	var list []RunView
	if err := r.ask(ctx, "GET", fmt.Sprintf("/v1/runs?limit=%d", limit), nil, &list); err != nil {
		return nil, err
	}
	return r.replayAll(ctx, list)
}

// RunsOf replays the latest runs of one experiment, newest first.
func (r *Client) RunsOf(ctx context.Context, experiment string, limit int) ([]*mishap.Run, error) {
	var list, some []RunView
	if err := r.ask(ctx, "GET", fmt.Sprintf("/v1/runs?limit=%d", MostRuns), nil, &list); err != nil {
		return nil, err
	}
	for _, one := range list {
		if one.Experiment == experiment && len(some) < limit {
			some = append(some, one)
		}
	}
	return r.replayAll(ctx, some)
}

func (r *Client) replayAll(ctx context.Context, list []RunView) ([]*mishap.Run, error) {
	return mishap.ReplayAll(list, func(one RunView) ([]mishap.Entry, error) { return r.Journal(ctx, one.Run) })
}

// Halted says who halted everything; nil if nobody did.
func (r *Client) Halted(ctx context.Context) (*ledger.Halt, error) {
	var h HaltView
	if err := r.ask(ctx, "GET", "/v1/halt", nil, &h); err != nil || !h.Halted {
		return nil, err
	}
	return &ledger.Halt{By: h.By, Reason: h.Reason, At: h.At}, nil
}

// LedgerOf names the ledger of the server; empty if it does not say.
func (r *Client) LedgerOf(ctx context.Context) string {
	var h HaltView
	_ = r.ask(ctx, "GET", "/v1/halt", nil, &h)
	return h.Ledger
}

// reason is one, since the API wants it.
func reason(text string) Because {
	if text == "" {
		text = "no reason given"
	}
	return Because{Reason: text}
}

// Halt stops everything in the server's ledger, and in no other; who asks is known by
// the token.
func (r *Client) Halt(ctx context.Context, by, why string, _ bool) ([]Stopped, error) {
	var h HaltView
	if err := r.insist(ctx, "PUT", "/v1/halt", reason(why), &h, by); err != nil {
		return nil, err
	}
	s := Stopped{Ledger: cmp.Or(h.Ledger, "of the server"), Servers: h.Servers, Runs: h.Stopped, Late: h.Late}
	if h.Already {
		s.Before = &ledger.Halt{By: h.By, Reason: h.Reason, At: h.At}
	}
	return []Stopped{s}, nil
}

// asUser says who asks over the socket.
func asUser(name string) func(*http.Request) {
	return func(req *http.Request) { req.Header.Set("Mishap-User", name) }
}

// Resume lets runs start again; the reason may be empty.
func (r *Client) Resume(ctx context.Context, by, why string) error {
	path := "/v1/halt"
	if why != "" {
		path += "?reason=" + url.QueryEscape(why)
	}
	return r.ask(ctx, "DELETE", path, nil, nil, asUser(by))
}

// Unlock lets an experiment that deviated be run by itself again.
func (r *Client) Unlock(ctx context.Context, experiment, by, why string) error {
	return r.ask(ctx, "POST", "/v1/locks/"+url.PathEscape(experiment)+"/unlock", reason(why), nil, asUser(by))
}

// Abort asks for a run to be stopped, and waits until it has begun to revert.
func (r *Client) Abort(ctx context.Context, which, by, why string) (Asked, error) {
	var got StartAnswer
	err := r.insist(ctx, "POST", "/v1/runs/"+url.PathEscape(which)+"/abort", reason(why), &got, by)
	return Asked{Run: got.Run, Ledger: got.Ledger, Server: got.Server}, err
}

// insist asks a server to stop something, and again one that is busy: asking twice
// stops once.
func (r *Client) insist(ctx context.Context, method, path string, in, out any, by string) error {
	again := newTries()
	for {
		err := socket.Insist(ctx, func() error { return r.ask(ctx, method, path, in, out, asUser(by)) })
		var l later
		if err == nil || errors.As(err, &l) && !l.asked || !again.wait(ctx, err) {
			return err
		}
	}
}

// Standing is what status says beside the runs.
func (r *Client) Standing(ctx context.Context) (report.Standing, error) {
	var sources []SourceView
	var s report.Standing
	err := errors.Join(r.ask(ctx, "GET", "/v1/sources", nil, &sources), r.ask(ctx, "GET", "/v1/locks", nil, &s.Locks))
	if bad := r.ask(ctx, "GET", "/v1/queue", nil, &s.Waiting); bad != nil && !errors.Is(bad, mishap.ErrInvalid) { // an older server has no queue
		err = errors.Join(err, bad)
	}
	if bad := r.ask(ctx, "GET", "/v1/latest", nil, &s.Experiments); errors.Is(bad, mishap.ErrInvalid) { // an older server says when they are due
		err = errors.Join(err, r.due(ctx, &s))
	} else {
		err = errors.Join(err, bad)
	}
	for _, src := range sources {
		s.Sources = append(s.Sources, report.SourceStanding{Name: src.Name, Commit: src.Commit, Since: src.Since, Revision: src.Revision, Problem: src.Problem, Holds: src.Holds})
	}
	return s, err
}

// due is what an older server says of experiments.
func (r *Client) due(ctx context.Context, s *report.Standing) error {
	var scheduled []Scheduled
	err := r.ask(ctx, "GET", "/v1/schedules?count=1", nil, &scheduled)
	for _, one := range scheduled {
		if len(one.Next) > 0 {
			s.Experiments = append(s.Experiments, report.ExperimentStanding{Name: one.Experiment, Next: one.Next[0].Due})
		}
	}
	return err
}

// IsLocal reports whether an address, with its port or without, is of this machine.
func IsLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
