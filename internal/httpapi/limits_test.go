package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

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
