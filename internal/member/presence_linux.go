package member

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// listenPresence takes a name in the abstract namespace.
func listenPresence(name string) (net.Listener, error) { return net.Listen("unix", name) }

// peerUID is the user of the process at the other end of a unix socket, as the
// kernel says (SO_PEERCRED of unix(7)).
func peerUID(conn net.Conn) (int, error) {
	if outer, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = outer.NetConn()
	}
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errors.New("the connection is not a unix socket")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("ask for the user of a socket: %w", err)
	}
	var peer *unix.Ucred
	var errPeer error
	err = raw.Control(func(fd uintptr) { peer, errPeer = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, errPeer); err != nil {
		return 0, fmt.Errorf("ask for the user of a socket: %w", err)
	}
	return int(peer.Uid), nil
}
