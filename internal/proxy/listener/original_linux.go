package listener

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// soOriginalDst is SO_ORIGINAL_DST (linux/netfilter_ipv4.h), and IP6T_SO_ORIGINAL_DST.
const soOriginalDst = 80

// originalDestination is where a client wanted to go before a redirect of nftables or iptables brought it here.
func originalDestination(c *net.TCPConn) (at netip.AddrPort, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return at, err
	}
	local := c.LocalAddr().(*net.TCPAddr).AddrPort() // what a TCP connection has
	ask := func(fd uintptr) {
		if local.Addr().Unmap().Is4() {
			at, err = originalIPv4(int(fd))
		} else {
			at, err = originalIPv6(int(fd))
		}
	}
	if failed := raw.Control(ask); failed != nil {
		return at, failed
	}
	if err != nil {
		return at, fmt.Errorf("ask for the original destination: %w", err)
	}
	if at == netip.AddrPortFrom(local.Addr().Unmap(), local.Port()) {
		return at, fmt.Errorf("the client came to %s itself, and was not redirected here", at)
	}
	return at, nil
}

// originalIPv4 reads a sockaddr_in, which the call for a structure of that size happens to give.
func originalIPv4(fd int) (netip.AddrPort, error) {
	got, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	b := got.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}

// originalIPv6 reads a sockaddr_in6, which begins an ip6_mtuinfo.
func originalIPv6(fd int) (netip.AddrPort, error) {
	got, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], got.Addr.Port) // in network order
	return netip.AddrPortFrom(netip.AddrFrom16(got.Addr.Addr), binary.BigEndian.Uint16(port[:])), nil
}
