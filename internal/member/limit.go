package member

import (
	"net"
	"strconv"

	"mishap/internal/socket"
)

// mostBrakes is how many connections each socket that stops runs has at once, or a
// sixteenth of the descriptors that the process may have.
const mostBrakes = 64

// brakeLimit is that of each socket that stops runs. Every user of the host reaches
// one of them, and none has more than half of it.
func brakeLimit() socket.Limit {
	all := socket.Share(16, mostBrakes)
	return socket.Limit{All: all, Each: max(1, all/2), Of: func(c net.Conn) string {
		uid, _ := peerUID(c)
		return strconv.Itoa(uid)
	}}
}
