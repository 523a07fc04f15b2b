package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// mostHello is the most that a ClientHello may have. Those of today have less
// than 2 KiB.
const mostHello = 16 << 10

// errRead ends the handshake that is only read.
var errRead = errors.New("the hello is read")

// Hello reads a ClientHello (RFC 8446, 4.1.2) without answering it. It gives the
// name that the client asks for (RFC 6066, 3), empty if it does not say one, and
// all bytes that were read, which are to be passed on first.
func Hello(conn net.Conn, within time.Duration) (name string, read []byte, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", nil, err
	}
	var seen bytes.Buffer
	hello := false
	onlyRead := silent{Conn: conn, in: io.TeeReader(io.LimitReader(conn, mostHello), &seen)}
	err = tls.Server(onlyRead, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name, hello = h.ServerName, true
		return nil, errRead
	}}).HandshakeContext(context.Background())
	if err := errors.Join(conn.SetReadDeadline(time.Time{})); err != nil {
		return "", seen.Bytes(), err
	}
	if !hello {
		return "", seen.Bytes(), fmt.Errorf("read TLS hello: %w", err)
	}
	return name, seen.Bytes(), nil
}

// silent reads and never writes: the client must not see that somebody looked.
type silent struct {
	net.Conn
	in io.Reader
}

// Read reads.
func (s silent) Read(p []byte) (int, error) { return s.in.Read(p) }

// Write drops what would be an alert.
func (s silent) Write(p []byte) (int, error) { return len(p), nil }
