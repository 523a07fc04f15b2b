//go:build !linux

package listener

import (
	"errors"
	"net"
	"net/netip"
)

// originalDestination is known on Linux alone.
func originalDestination(*net.TCPConn) (netip.AddrPort, error) {
	return netip.AddrPort{}, errors.New("upstream: original works on Linux")
}
