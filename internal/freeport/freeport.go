// Package freeport gives tests ports on loopback that nobody listens on, for
// servers that cannot be told to choose one.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// The ports are below those that systems give to clients, so that no connection of a busy machine takes one before its
// server does: Linux begins at 32768, others at 49152.
const (
	first = 12000
	last  = 32767
)

var (
	mu    sync.Mutex               //nolint:gochecknoglobals // ports are the process's
	given = map[int]net.Listener{} //nolint:gochecknoglobals // what keeps them from other processes
)

// Port gives a free port, and no port twice: neither to this process nor, on
// Linux, to the tests of another while this one lives, however long a server takes
// to listen there.
func Port() int {
	mu.Lock()
	defer mu.Unlock()
	for {
		port := first + rand.IntN(last-first+1)
		if _, taken := given[port]; taken {
			continue
		}
		l, mine := reserve(port)
		if !mine {
			continue
		}
		given[port] = l
		if free(port) {
			return port
		}
	}
}

// Address is a free port as HOST:PORT.
func Address() string { return fmt.Sprintf("127.0.0.1:%d", Port()) }

// reserve keeps a port from other processes that ask for one, by a name that the
// kernel frees with this process. It is of a network namespace, as ports are.
func reserve(port int) (l net.Listener, mine bool) {
	if runtime.GOOS != "linux" {
		return nil, true // there are no such names
	}
	l, err := net.Listen("unix", fmt.Sprintf("@mishap-test-port-%d", port))
	return l, !errors.Is(err, syscall.EADDRINUSE) // a system that forbids such names keeps no port
}

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
