package proxy_test

import (
	"io"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
)

// TestNoUpstreamKeepsAProxyFromEnding has an upstream that gives a stream of HTTP/2 more window than there is: net/http locks
// itself out then, and never ends the connection.
func TestNoUpstreamKeepsAProxyFromEnding(t *testing.T) {
	l := nettest.Listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
		f := http2.NewFramer(conn, conn)
		_ = f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if h, ok := frame.(*http2.HeadersFrame); ok {
				_ = f.WriteWindowUpdate(h.StreamID, 1<<31-1)
				return
			}
		}
	}()
	r := startWith(t, l.Addr().String(), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if resp, err := (&http.Client{Transport: transport}).Get("http://" + r.addr); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-done
	r.stop() // which returns
	<-asked
}
