package api

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
)

const (
	lookAtRun    = 5 * time.Second // at a run of which no event comes: another server may have it
	patience     = 2 * time.Minute // with a server that does not answer, or asks to come later
	longestPause = 5 * time.Second // between two tries, unless the server says more
	mostPause    = time.Minute     // even then
	largestEvent = 64 << 20
)

// later is a refusal or a failure that may be over soon.
type later struct {
	error
	after time.Duration // that the server wants to be left alone
	asked bool          // whether the request may have reached the server
}

func (l later) Unwrap() error { return l.error }

// maybeLater makes a [later] of what an answer or a failure to get one says.
func maybeLater(err error, resp *http.Response) error {
	if resp == nil {
		var dial *net.OpError
		return later{error: err, asked: !errors.As(err, &dial) || dial.Op != "dial"}
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return later{err, retryAfter(resp.Header.Get("Retry-After"), time.Now()), true}
	}
	return err
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(seconds, 3600)) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), mostPause)
}

// tries waits between tries with exponential backoff, as long as a server wants
// and no longer than patience after the last success.
type tries struct {
	pause *backoff.ExponentialBackOff
	since time.Time
}

func newTries() *tries {
	t := &tries{pause: backoff.NewExponentialBackOff(backoff.WithInitialInterval(followEvery), backoff.WithMaxInterval(longestPause), backoff.WithMaxElapsedTime(0))}
	t.worked()
	return t
}

func (t *tries) worked() { t.since = time.Now() }

// wait reports whether it is time for another try after err.
func (t *tries) wait(ctx context.Context, err error) bool {
	var l later
	if !errors.As(err, &l) || time.Since(t.since) > patience {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(max(t.pause.NextBackOff(), l.after)):
		return true
	}
}

// Start asks for a run of an experiment in force, and answers its id. It asks
// again with the same key where an answer was lost, which starts nothing twice.
func (r *Client) Start(ctx context.Context, want StartRequest, by string) (string, error) {
	key := rand.Text()
	again := newTries()
	for {
		var got StartAnswer
		err := r.ask(ctx, "POST", "/v1/runs", want, &got, asUser(by), func(req *http.Request) { req.Header.Set("Idempotency-Key", key) })
		var l later
		if err == nil || errors.As(err, &l) && !l.asked || !again.wait(ctx, err) {
			return got.Run, err
		}
	}
}

// Follow tells of every entry of a run until it is over. It listens to the
// server's events, and looks at the journal where they leave a gap. A server that
// is away, or busy, is asked again; when that is given up, the error says what was
// known last, and is [mishap.ErrStillIn] only if a fault may be in.
func (r *Client) Follow(ctx context.Context, id string, seen func(mishap.Entry, *mishap.Run)) (*mishap.Run, error) {
	f := &following{client: r, id: id, run: &mishap.Run{}, seen: seen, tries: newTries()}
	for {
		err := f.listen(ctx)
		if f.over() {
			return f.run, nil
		}
		if !f.tries.wait(ctx, err) {
			return f.known(), f.lost(err)
		}
	}
}

// following is a run that is followed.
type following struct {
	client *Client
	id     string
	run    *mishap.Run
	seen   func(mishap.Entry, *mishap.Run)
	tries  *tries
}

func (f *following) over() bool { return f.run.State.Ended() || f.run.State == mishap.Stranded }

// known is the run as it was seen last; nil if nothing was.
func (f *following) known() *mishap.Run {
	if f.run.Seq == 0 {
		return nil
	}
	return f.run
}

// lost is the error of a run that is followed no more. What has no faults, and
// what was seen to be out, is not in.
func (f *following) lost(err error) error {
	r := f.run
	in := r.Seq == 0 || len(r.Outstanding()) > 0 || r.State != mishap.Verifying && len(r.Plan.Injections) > 0
	last := "of which nothing was seen"
	if r.Seq > 0 {
		last = "which was " + string(r.State) + " when it was seen last"
	}
	err = errors.New("follow run " + f.id + ", " + last + ": " + err.Error()) // not wrapped: a refusal to show a run is no refusal of the run
	if !in {
		return mishap.WithHint(err, "no fault of it is in force; `mishap status "+f.id+"` with the same --server shows how it ended")
	}
	return mishap.StillIn(mishap.WithHint(err, "the server goes on with it and reverts; `mishap status "+f.id+"` with the same --server shows how far it is, `mishap abort "+f.id+"` stops it"))
}

// apply takes an entry.
func (f *following) apply(e mishap.Entry) error {
	if err := f.run.Apply(e); err != nil {
		return err
	}
	f.seen(e, f.run)
	f.tries.pause.Reset()
	return nil
}

// catchUp reads the journal, and reports whether it has anything new.
func (f *following) catchUp(ctx context.Context) (moved bool, err error) {
	entries, err := f.client.Journal(ctx, f.id)
	if err != nil {
		return false, err
	}
	f.tries.worked()
	for _, e := range entries[min(f.run.Seq, int64(len(entries))):] {
		if err := f.apply(e); err != nil {
			return true, err
		}
		moved = true
	}
	return moved, nil
}

// listen follows events until the run is over, or until they end. It listens
// before it looks, so that nothing falls between.
func (f *following) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, refused := f.client.events(ctx)
	if _, err := f.catchUp(ctx); err != nil || f.over() {
		return err
	}
	if refused != nil {
		return later{error: refused, asked: true} // the journal can be read, and so it goes on
	}
	idle := time.NewTimer(lookAtRun)
	defer idle.Stop()
	for !f.over() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-events:
			if !ok {
				return later{error: errors.New("the server's events ended"), asked: true}
			}
			f.tries.worked()
			if e.Entry == nil || e.Entry.Run != f.id || e.Entry.Seq <= f.run.Seq {
				continue
			}
			if e.Entry.Seq > f.run.Seq+1 {
				if _, err := f.catchUp(ctx); err != nil {
					return err
				}
			} else if err := f.apply(*e.Entry); err != nil {
				return err
			}
			idle.Reset(lookAtRun)
		case <-idle.C:
			if _, err := f.catchUp(ctx); err != nil {
				return err
			}
			idle.Reset(lookAtRun)
		}
	}
	return nil
}

// events listens to what happens in the server, until ctx or the stream ends.
func (r *Client) events(ctx context.Context) (<-chan Event, error) {
	req, err := r.request(ctx, "GET", "/v1/events", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	endless := http.Client{Transport: r.client.Transport, CheckRedirect: r.client.CheckRedirect} // it lasts as long as the run
	resp, err := endless.Do(req)                                                                 //nolint:bodyclose // by who reads the events
	if err != nil {
		return nil, maybeLater(fmt.Errorf("listen to the server: %w", err), nil)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, maybeLater(fmt.Errorf("listen to the server: it answers %s", resp.Status), resp)
	}
	ch := make(chan Event)
	go func() {
		defer close(ch)
		defer resp.Body.Close()
		readEvents(ctx, resp.Body, ch)
	}()
	return ch, nil
}

// readEvents reads server-sent events of one line of data each.
func readEvents(ctx context.Context, in io.Reader, to chan<- Event) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, largestEvent)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		var e Event
		if !ok || json.Unmarshal([]byte(data), &e) != nil {
			continue
		}
		select {
		case to <- e:
		case <-ctx.Done():
			return
		}
	}
}
