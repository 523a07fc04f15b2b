// Package freeport gives tests ports on loopback that nobody listens on, for
// servers that cannot be told to choose one.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports are below those that systems give to clients, so that no connection of a busy machine takes one before its
// server does: Linux begins at 32768, others at 49152.
const (
	first = 12000
	last  = 32767
)

var (
	mu    sync.Mutex       //nolint:gochecknoglobals // ports are the process's
	given = map[int]bool{} //nolint:gochecknoglobals
)

// Port gives a free port, and no port twice.
func Port() int {
	mu.Lock()
	defer mu.Unlock()
	for {
		port := first + rand.IntN(last-first+1)
		if !given[port] && free(port) {
			given[port] = true
			return port
		}
	}
}

// Address is a free port as HOST:PORT.
func Address() string { return fmt.Sprintf("127.0.0.1:%d", Port()) }

func free(port int) bool {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return datagrams.Close() == nil
}
