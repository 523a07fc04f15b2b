package proxy_test

import (
	"io"
	"mishap/internal/nettest"
	"net"
	"testing"
)

// routes are the ways to an upstream that the benchmarks compare.
func routes(b *testing.B, handle func(*net.TCPConn), run func(*testing.B, net.Conn)) {
	address := nettest.Serve(b, handle)
	for _, route := range []struct{ name, address string }{{"direct", address}, {"proxy", start(b, address).addr}} {
		b.Run(route.name, func(b *testing.B) {
			c, err := net.Dial("tcp", route.address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			run(b, c)
		})
	}
}

// BenchmarkThroughput reads a stream in one direction.
func BenchmarkThroughput(b *testing.B) {
	const size = 1 << 20
	source := func(c *net.TCPConn) {
		for chunk := make([]byte, size); ; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}
	routes(b, source, func(b *testing.B, c net.Conn) {
		b.SetBytes(size)
		for buf := make([]byte, size); b.Loop(); {
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRoundTrip sends a small message and waits for its echo: the difference is the latency that the proxy adds.
func BenchmarkRoundTrip(b *testing.B) {
	routes(b, nettest.Echo, func(b *testing.B, c net.Conn) {
		for buf := make([]byte, 100); b.Loop(); {
			if _, err := c.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
