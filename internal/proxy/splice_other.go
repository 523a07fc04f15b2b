//go:build !linux

package proxy

import "errors"

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
