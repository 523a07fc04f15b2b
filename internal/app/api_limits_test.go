package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Whoever holds connections without a word takes nobody's place but their own,
// and those beyond the bounds are ended at once.
func TestConnectionsOfOneCallerTakeNobodyElsesPlace(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := &bounded{Listener: l, all: 4, each: 3, of: map[string]int{}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "fine") })}
	go func() { _ = server.Serve(b) }()
	defer server.Close()
	dial := func(from string) net.Conn {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	answers := func(conn net.Conn) bool {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		return err == nil
	}
	var idle []net.Conn
	for range 3 {
		c := dial("127.0.0.2")
		defer c.Close()
		if !answers(c) {
			t.Fatal("a connection within the bounds is not answered")
		}
		idle = append(idle, c)
	}
	beyond := dial("127.0.0.2")
	defer beyond.Close()
	if answers(beyond) {
		t.Error("a fourth connection of one address is answered")
	}
	other := dial("127.0.0.3")
	defer other.Close()
	if !answers(other) {
		t.Error("somebody else is not answered")
	}
	third := dial("127.0.0.4")
	defer third.Close()
	if answers(third) {
		t.Error("there are more connections than there may be")
	}
	idle[0].Close()
	for again := false; !again; { // until the server has seen the end of it
		c := dial("127.0.0.4")
		again = answers(c)
		c.Close()
	}
}

// A body that does not come ends its connection, and nothing acts on half of one.
func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	acted := make(chan struct{}, 1)
	server := &http.Server{ReadTimeout: 50 * time.Millisecond, Handler: whole(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { acted <- struct{}{} }))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%v %v", resp, err)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(acted) > 0 {
		t.Errorf("%q %v, and %d acted", rest, err, len(acted))
	}
}

// A request that came whole may take as long as its answer does.
func TestALongAnswerIsNotEndedByTheTimeThatRequestsHave(t *testing.T) {
	const most = 50 * time.Millisecond
	server := &http.Server{ReadTimeout: most, Handler: whole(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(4 * most):
			fmt.Fprint(w, "done")
		}
	}))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	resp, err := http.Post("http://"+l.Addr().String(), "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(text) != "done" {
		t.Errorf("%q", text)
	}
}
