package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap/internal/outside"
)

const (
	firstWait     = 500 * time.Millisecond
	longestWait   = time.Minute
	longestAsked  = 5 * time.Minute // of what a target asks for in Retry-After
	clientTimeout = 10 * time.Second
	tryTimeout    = 30 * time.Second // for clients that have none of their own
	longestAnswer = 64 << 10
	longestQuote  = 200 // characters of an answer that an error shows
)

// sender is what the kinds of targets differ in. One goroutine uses it.
type sender interface {
	// request puts a message into the header and body of a POST.
	request(m Message, secret string, now time.Time) (http.Header, []byte, error)
	// accept reads an answer of status 2xx, which may still be a refusal.
	accept(m Message, a answer) error
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newSender(t Target) sender {
	switch t.Kind {
	case Webhook:
		return webhook{signed: t.Secret != nil}
	case Slack:
		return newSlack(t)
	case PagerDuty:
		return pagerDuty{}
	default:
		return unknown{}
	}
}

// failure is why a try did not succeed, with nothing secret in it.
type failure struct {
	text  string
	again bool          // another try may succeed
	after time.Duration // which the target asked for
}

// Error says why.
func (f *failure) Error() string { return f.text }

// deliver tries a message until it is sent, refused, or too old.
func (w *worker) deliver(ctx context.Context, q *queued) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstWait), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(0))
	var last *failure
	for {
		if err := sleepUntil(ctx, w.notBefore); err != nil {
			return closed(last)
		}
		err := w.to.Load().try(ctx, q.message) // who it is now
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return closed(last)
		}
		if !errors.As(err, &last) || !last.again {
			return err
		}
		wait := max(min(waits.NextBackOff(), longestWait), last.after)
		if last.after > 0 {
			w.notBefore = time.Now().Add(last.after)
		}
		again := time.Now().Add(wait)
		if again.After(q.until) {
			return fmt.Errorf("give up after %v: %w", w.giveUp, last)
		}
		w.failing(last)
		w.log.Debug("message is tried again", "event", q.message.Event, "id", q.message.ID, "in", wait, "error", last)
		if err := sleepUntil(ctx, again); err != nil {
			return closed(last)
		}
	}
}

// closed is the error of a message that was interrupted by Close.
func closed(last *failure) error {
	if last == nil {
		return errors.New("closed before it was sent")
	}
	return fmt.Errorf("closed before it was sent: %w", last)
}

func sleepUntil(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try sends a message once. Its error is a failure.
func (r *receiver) try(ctx context.Context, m Message) error {
	if why := r.target.checkURL(); why != "" {
		return &failure{text: "send: " + why}
	}
	secret, err := r.secret()
	if err != nil {
		return r.fail(true, secret, "get secret", err)
	}
	header, body, err := r.sender.request(m, secret, time.Now())
	if err != nil {
		return r.fail(false, secret, "write message", err)
	}
	a, err := r.post(ctx, header, body)
	if err != nil {
		return r.fail(true, secret, "send to "+r.target.base(), err)
	}
	if a.status/100 != 2 {
		f := r.fail(retryable(a.status), secret, "send to "+r.target.base(), r.refusal(a))
		f.after = a.retryAfter(time.Now())
		return f
	}
	if err := r.sender.accept(m, a); err != nil {
		var refused *failure
		f := r.fail(errors.As(err, &refused) && refused.again, secret, "send to "+r.target.base(), err)
		if f.again {
			f.after = a.retryAfter(time.Now())
		}
		return f
	}
	return nil
}

func (r *receiver) secret() (string, error) {
	if r.target.Secret == nil {
		if r.target.needsSecret() {
			return "", errors.New("the target has none")
		}
		return "", nil
	}
	secret, err := r.target.Secret()
	if r.target.needsSecret() {
		// A token read from a file ends in a newline, which no header takes.
		secret = strings.TrimSpace(secret)
	}
	if err == nil && secret == "" {
		err = errors.New("it is empty")
	}
	return secret, err
}

// fail makes a failure with nothing secret in it. The chain ends here: what was
// wrapped could hold the URL.
func (r *receiver) fail(again bool, secret, doing string, err error) *failure {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	return &failure{again: again, text: doing + ": " + r.target.scrub(err.Error(), secret)}
}

// refusal is the error of a status other than 2xx. Slack and PagerDuty say why
// in the body; a webhook's may be anything.
func (r *receiver) refusal(a answer) error {
	why := quote(a.body)
	if r.target.Kind == Webhook || why == "" {
		return fmt.Errorf("answered %d", a.status)
	}
	return fmt.Errorf("answered %d: %s", a.status, why)
}

// post sends one request and reads what comes back.
func (r *receiver) post(ctx context.Context, header http.Header, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.target.url(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header = header
	req.Header.Set("User-Agent", "mishap")
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	if resp.StatusCode/100 == 2 {
		err = nil // the status is the answer; another try would tell it twice
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: read}, err
}

// retryable reports whether a status may be another one later.
func retryable(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly ||
		status == http.StatusTooManyRequests || status >= 500
}

// retryAfter is how long the target asks to be left alone (RFC 9110, 10.2.3).
func (a answer) retryAfter(now time.Time) time.Duration {
	value := a.header.Get("Retry-After")
	if value == "" || a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable && a.status/100 != 2 {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(longestAsked/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestAsked)
}

// quote is the start of an answer on one line.
func quote(body []byte) string {
	return cut(strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "?")), " "), longestQuote)
}

// newClient is the client of a notifier that was given none.
func newClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	client := &http.Client{Timeout: clientTimeout, CheckRedirect: follow}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		own := t.Clone() // so that Close can end its connections
		if dial != nil {
			own.DialContext = dial
		}
		client.Transport = own
	}
	return client
}

// follow lets a redirect be followed that keeps scheme, host, port and method. One
// that is not is the answer, and a refusal: after a 302 the message would be a
// GET without its body, and its 200 would count as sent.
func follow(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 3 || !outside.SameHost(req.URL, first.URL) || req.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}
