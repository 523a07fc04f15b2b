//go:build !linux

package stream

import (
	"errors"
	"net"
)

// usableMemory is how much memory this process may use, in bytes; not known here, so that it is little.
func usableMemory() int64 { return 1 << 30 }

// newTicker says that the timers of the runtime are all there is.
func newTicker() (ticker, error) { return nil, errors.New("not on this system") }

// tcpClosed cannot be told here: a reset is then known by the error of the first call that meets it.
func tcpClosed(*net.TCPConn) bool { return false }

// errNoPipe says that the system cannot splice.
var errNoPipe = errors.New("no pipe")

// pipe would hold bytes in the kernel.
type pipe struct{ held int }

type pipePool struct{}

func (*pipePool) put(*pipe) {}

func (*pipePool) close() {}

const pipeSize = 1 << 20

func (*pipe) read([]byte) (int, error) { return 0, errNoPipe }

func (*pipe) discard(int) error { return errNoPipe }

func (*source) splice() (*pipe, error) { return nil, errNoPipe }

func (*source) spliceOut(*pipe, int) error { return errNoPipe }
