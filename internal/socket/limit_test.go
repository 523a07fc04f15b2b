package socket_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"mishap/internal/socket"
)

// pipes is a listener whose connections a test makes.
type pipes struct{ come chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.come
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *pipes) Close() error   { close(p.come); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// from is a connection of a caller.
type from struct {
	net.Conn
	caller string
}

// desk is a server with a limit, whose handler answers what a connection asks. Who
// asks for "wait" is held until the release.
type desk struct {
	t       *testing.T
	l       *pipes
	release chan struct{}
}

func newDesk(t *testing.T, all, each int) *desk {
	d := &desk{t: t, l: &pipes{make(chan net.Conn)}, release: make(chan struct{})}
	limit := socket.Limit{All: all, Each: each, Of: func(c net.Conn) string { return c.(from).caller }}
	server := &http.Server{ConnContext: socket.WithConn, Handler: socket.Whole(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-d.release
		}
		fmt.Fprint(w, "fine")
	}))}
	go func() { _ = server.Serve(limit.On(d.l)) }()
	t.Cleanup(func() { _ = server.Close() }) // and the listener
	return d
}

// comes makes a connection of a caller.
func (d *desk) comes(caller string) net.Conn {
	here, there := net.Pipe()
	d.t.Cleanup(func() { _ = here.Close() })
	d.l.come <- from{there, caller}
	synctest.Wait()
	return here
}

// asks sends a request, and answers reports whether there is an answer to one.
func asks(c net.Conn, path string) error {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	return err
}

func answers(c net.Conn) bool {
	if asks(c, "/") != nil {
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	return err == nil
}

const settled = time.Second

func TestWhoComesNextGetsThePlaceOfTheOldestOfTheSameCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 4, 2)
		other := d.comes("b")
		first, second := d.comes("a"), d.comes("a")
		time.Sleep(settled)
		if third := d.comes("a"); !answers(third) {
			t.Error("a new connection is not answered")
		}
		if answers(first) {
			t.Error("the oldest connection goes on beyond the limit")
		}
		if !answers(second) || !answers(other) {
			t.Error("more than one connection was ended, or another caller's")
		}
	})
}

func TestWhoHasMostConnectionsGivesThePlaceForAnotherCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 3, 2)
		other, first, second := d.comes("b"), d.comes("a"), d.comes("a")
		time.Sleep(settled)
		if third := d.comes("c"); !answers(third) {
			t.Error("a new caller is not answered")
		}
		if answers(first) || !answers(second) || !answers(other) {
			t.Error("the place was not the oldest of who has most")
		}
	})
}

// A storm of new connections ends none that has just come and is about to speak.
func TestAConnectionHasTimeToSayWhatItWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 2, 2)
		first, second := d.comes("a"), d.comes("a")
		for range 10 {
			if d.comes("a"); t.Failed() {
				return
			}
		}
		if !answers(first) || !answers(second) {
			t.Error("those that came first have lost their places to those that came at once after them")
		}
	})
}

func TestWhatIsBeingAnsweredIsNotEndedForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 2, 2)
		waits := d.comes("a")
		if err := asks(waits, "/wait"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settled)
		idle := d.comes("a")
		time.Sleep(settled)
		if !answers(d.comes("a")) || answers(idle) {
			t.Error("the idle connection was not ended for the new one")
		}
		close(d.release)
		if resp, err := http.ReadResponse(bufio.NewReader(waits), nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Error("the answer did not come:", err)
		}
	})
}

// An eighth of the places, and one at least, is for whoever comes next, however many
// others are being answered.
func TestAPlaceIsFreeHoweverManyAreBeingAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 4, 4)
		defer close(d.release)
		for range 4 {
			if err := asks(d.comes("a"), "/wait"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(settled)
		if !answers(d.comes("a")) {
			t.Error("nobody is let in beside those that are being answered")
		}
	})
}

func TestAPlaceIsFreeOnceAConnectionHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 1, 1)
		for range 20 {
			c := d.comes("a")
			if !answers(c) {
				t.Fatal("a connection within the limit is not answered")
			}
			_ = c.Close()
			synctest.Wait()
		}
	})
}
