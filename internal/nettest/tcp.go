// Package nettest gives tests servers of TCP on this machine's loopback address, and brings that up in namespaces of their
// own.
package nettest

import (
	"io"
	"net"
	"testing"
)

// Listen takes a free port of loopback until the test ends. Who only connects to it gets no answer.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Serve handles each connection in a goroutine of its own, and closes it then, until the test ends. It gives the address.
func Serve(t testing.TB, handle func(*net.TCPConn)) string {
	t.Helper()
	l := Listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

// Echo sends back what it reads, then ends.
func Echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }
