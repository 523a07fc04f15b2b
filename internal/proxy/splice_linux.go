package proxy

import (
	"errors"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	pipeSize  = 1 << 20 // bytes in a pipe, the most that a process may ask for without privilege (pipe(7))
	mostPipes = 64      // that are kept for later
)

// errNoPipe says that there is none to splice through: file descriptors, or pages of pipes, are used up.
var errNoPipe = errors.New("no pipe")

// pipe holds bytes in the kernel on their way from one connection to another.
type pipe struct {
	r, w int
	held int // bytes
}

// pipePool lends pipes, so that a connection that waits holds none.
type pipePool struct {
	mu   sync.Mutex
	free []*pipe
}

func (l *pipePool) get() (*pipe, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		p := l.free[n-1]
		l.free = l.free[:n-1]
		return p, nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, errNoPipe
	}
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize) // else it is smaller
	return &pipe{r: fds[0], w: fds[1]}, nil
}

// put takes a pipe back. One that still holds bytes is closed, and so they are lost.
func (l *pipePool) put(p *pipe) {
	if p == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.held == 0 && len(l.free) < mostPipes {
		l.free = append(l.free, p)
		return
	}
	_, _ = unix.Close(p.r), unix.Close(p.w)
}

// close closes the pipes that nobody uses.
func (l *pipePool) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.free {
		_, _ = unix.Close(p.r), unix.Close(p.w)
	}
	l.free = nil
}

// read takes bytes out of a pipe that holds some.
func (p *pipe) read(b []byte) (int, error) {
	n, err := unix.Read(p.r, b)
	if n > 0 {
		p.held -= n
	}
	return n, err
}

// splice waits for bytes and moves them into a pipe, without holding one meanwhile. Its errors are those of read.
func (s *source) splice() (in *pipe, err error) {
	var failed error
	err = s.raw.Read(func(fd uintptr) bool {
		if in, failed = s.pool.pipes.get(); failed != nil {
			return true
		}
		for {
			n, err := unix.Splice(int(fd), nil, in.w, nil, pipeSize, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EAGAIN):
				s.pool.pipes.put(in)
				in = nil
				return false
			case err == nil && n == 0:
				failed = s.end()
			default:
				in.held, failed = int(max(n, 0)), err
			}
			return true
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		s.pool.pipes.put(in)
		return nil, err
	}
	return in, nil
}

// spliceOut moves what a pipe holds on to a connection; an error leaves the rest there.
func (s *source) spliceOut(out *pipe) error {
	var failed error
	err := s.raw.Write(func(fd uintptr) bool {
		for out.held > 0 {
			n, err := unix.Splice(out.r, nil, int(fd), nil, out.held, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			case err != nil:
				failed = err
				return true
			case n == 0:
				failed = syscall.EPIPE
				return true
			default:
				out.held -= int(n)
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return err
}
