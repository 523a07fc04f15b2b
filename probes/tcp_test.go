package probes_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap"
	"mishap/internal/freeport"
	"mishap/internal/nettest"
	"mishap/probes"
)

// serveTCP answers every connection with answer and closes it; it returns a URL.
func serveTCP(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	return "http://" + nettest.Serve(t, func(c *net.TCPConn) { answer(c) })
}

func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func TestTCPJudgesTheAnswer(t *testing.T) {
	echo := strings.TrimPrefix(serveTCP(t, func(c net.Conn) {
		line := make([]byte, 6)
		if _, err := io.ReadFull(c, line); err == nil {
			io.WriteString(c, "+PO")
			io.WriteString(c, "NG\r\n")
			_, _ = io.Copy(io.Discard, c)
		}
	}), "http://")
	silent := strings.TrimPrefix(serveTCP(t, func(c net.Conn) {}), "http://")
	send := func(address string) object { return object{"address": address, "send": "PING\r\n"} }

	o := observe(t, "tcp", send(echo), object{"answer": "+PONG", "answerMatches": `\r\n$`, "latency": "<= 1h"})
	want(t, o, mishap.Met, "")
	if !strings.HasPrefix(o.Value, "answer in ") {
		t.Errorf("value %q", o.Value)
	}
	want(t, observe(t, "tcp", send(echo), object{"answer": "+PONG", "latency": "< 0s"}), mishap.Unmet, "latency ")
	want(t, observe(t, "tcp", object{"address": silent}, nil), mishap.Met, "")
	want(t, observe(t, "tcp", object{"address": silent}, object{"answer": "hi"}), mishap.Unmet, `answer does not contain "hi", it is empty`)
	want(t, observe(t, "tcp", object{"address": freeport.Address()}, nil), mishap.Unmet, "connection refused")
	wantWithin(t, "tcp", object{"address": echo}, object{"answer": "hi"}, mishap.Unmet, func(limit time.Duration) string {
		return fmt.Sprintf("no answer within %s, while waiting", limit)
	})
	wantWithin(t, "tcp", send(echo), object{"answer": "-ERR"}, mishap.Unmet, func(limit time.Duration) string {
		return fmt.Sprintf(`within %s, while the answer was "+PONG"`, limit)
	})
}

func TestTCPRefusesWhatCannotBe(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1", ":80", "h:0", "h:http", "h:65536"} {
		wantProblems(t, "tcp", object{"address": address}, nil, "with.address")
	}
	wantProblems(t, "tcp", object{"address": "h", "send": "x"}, object{"answerMatches": "(", "latency": "1"}, "with.address", "expect.answerMatches", "expect.latency")
	wantProblems(t, "tcp", object{"address": "h:1", "send": "x"}, nil, "with.send")
}

func TestOnlyTheSystemsNetworkErrorsAreBlamedOnIt(t *testing.T) {
	for _, c := range []struct {
		err    error
		system bool
	}{
		{&net.DNSError{Err: "no such host", IsNotFound: true}, true},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, false},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, true},
		{&net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}, true},
		{&net.OpError{Op: "dial", Err: syscall.EMFILE}, false},
		{&net.OpError{Op: "dial", Err: syscall.EADDRNOTAVAIL}, false},
	} {
		if reason, system := probes.Blame(c.err); system != c.system || reason == "" {
			t.Errorf("%v: blamed on the system: %v, %q", c.err, system, reason)
		}
	}
}
