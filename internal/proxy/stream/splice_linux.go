package stream

import (
	"errors"
	"mishap/internal/socket"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	pipeSize  = 1 << 20 // bytes in a pipe, the most that a process may ask for without privilege (pipe(7))
	keptPipes = 64      // for later
	mostPipes = 1024    // at once; each takes two file descriptors
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
	made int // and not closed
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
	if l.made >= mostPipes || unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil, errNoPipe
	}
	if scarce(fds[1]) {
		_, _ = unix.Close(fds[0]), unix.Close(fds[1])
		return nil, errNoPipe
	}
	l.made++
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
	if p.held == 0 && len(l.free) < keptPipes {
		l.free = append(l.free, p)
		return
	}
	l.made--
	_, _ = unix.Close(p.r), unix.Close(p.w)
}

// scarce says whether the file descriptor is among the last quarter of those that the process may have: connections need
// them more.
func scarce(fd int) bool {
	limit, known := socket.Descriptors()
	return known && uint64(fd) > limit/4*3
}

// close closes the pipes that nobody uses.
func (l *pipePool) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.free {
		_, _ = unix.Close(p.r), unix.Close(p.w)
	}
	l.made -= len(l.free)
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

// discard loses bytes of a pipe.
func (p *pipe) discard(n int) error {
	var buf [4096]byte
	for n > 0 {
		got, err := p.read(buf[:min(n, len(buf))])
		if err != nil {
			return err
		}
		n -= got
	}
	return nil
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

// spliceOut moves so many bytes of a pipe on to a connection; an error leaves the rest there.
func (s *source) spliceOut(out *pipe, bytes int) error {
	var failed error
	err := s.raw.Write(func(fd uintptr) bool {
		for bytes > 0 {
			n, err := unix.Splice(out.r, nil, int(fd), nil, bytes, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
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
				bytes -= int(n)
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return err
}
