package listener

import (
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// sendNow sends a datagram, to an address if it is given, without waiting for room in the system's buffer: that is one
// for everybody, and a datagram that finds none is lost.
func sendNow(conn *net.UDPConn, data []byte, to netip.AddrPort) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for {
			_, failed = unix.SendmsgN(int(fd), data, nil, sockaddr(to), unix.MSG_DONTWAIT)
			if failed != unix.EINTR {
				return true
			}
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// sockaddr is nil for no address. An address has the family of the socket that it was read from.
func sockaddr(to netip.AddrPort) unix.Sockaddr {
	switch a := to.Addr(); {
	case !to.IsValid():
		return nil
	case a.Is4():
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}
	default:
		return &unix.SockaddrInet6{Port: int(to.Port()), Addr: a.As16(), ZoneId: zoneID(a.Zone())}
	}
}

func zoneID(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if nic, err := net.InterfaceByName(zone); err == nil {
		return uint32(nic.Index)
	}
	return 0
}
