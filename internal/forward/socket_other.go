//go:build !linux

package forward

import (
	"errors"
	"net"
)

// This system does not tell what has become of a connection without reading from it, so a client that leaves is noticed
// when it is read from or written to.
const (
	tcpClosed    = 7
	tcpCloseWait = 8
)

func tcpState(*net.TCPConn) uint8 { return 0 }

func awaitEnd(*net.TCPConn) (uint8, error) { return 0, errors.ErrUnsupported }

func hasSomething(int) bool { return false }

func unsent(*net.TCPConn) int { return 0 }
