package forward

import (
	"io"
	"net/http"
	"slices"
	"sync"
)

// maxReplay is how long a request's body can be, in bytes, so that it is kept and sent again if the upstream refuses it. Of a
// longer one, what has been read is kept until it is more than that.
const maxReplay = 64 << 10

// minFetch is the least room that a piece of a body is read into, in bytes.
const minFetch = 512

// replay reads the body of a request, from its start again if need be. What has been read is kept until the body is longer
// than maxReplay, or is settled.
type replay struct {
	src    io.ReadCloser
	passed func(int) // is called with how much has been read of src

	mu      sync.Mutex
	wake    sync.Cond // something has come, or the attempt is over
	kept    []byte    // from the start
	sent    int64     // the most that an attempt has read
	reading bool      // a goroutine reads
	end     error     // of src
	settled bool      // no attempt follows: what has been sent need not be kept
	whole   bool      // kept has all that was read
	attempt *attempt  // of the moment
}

func newReplay(src io.ReadCloser, passed func(int)) *replay {
	r := &replay{src: src, passed: passed, whole: true}
	r.wake.L = &r.mu
	return r
}

// again gives the body from its start, and ends what read it before. It is false if the start is lost.
func (r *replay) again() (io.ReadCloser, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.whole {
		return nil, false
	}
	if r.attempt != nil {
		r.attempt.closed = true
		r.wake.Broadcast()
	}
	r.attempt = &attempt{r: r}
	return r.attempt, true
}

// settle says that there is no other attempt.
func (r *replay) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled = true
}

// count is how much of the body has been passed on.
func (r *replay) count() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// fetch reads one piece of src to the end of kept. It is a goroutine of its own, because an attempt must be able to end while
// nothing comes, and the body still be whole for the next.
func (r *replay) fetch(room []byte) {
	n, err := r.src.Read(room)
	r.passed(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = r.kept[:len(r.kept)+n]
	r.end, r.reading = err, false
	r.wake.Broadcast()
}

// attempt is the body as one attempt to send it reads it.
type attempt struct {
	r      *replay
	at     int // of kept
	closed bool
}

// Read gives what is kept, and then what comes.
func (a *attempt) Read(p []byte) (int, error) {
	r := a.r
	r.mu.Lock()
	for {
		switch {
		case a.closed:
			r.mu.Unlock()
			return 0, http.ErrBodyReadAfterClose
		case a.at < len(r.kept):
			n := copy(p, r.kept[a.at:])
			a.at += n
			r.sent = max(r.sent, int64(a.at))
			r.mu.Unlock()
			return n, nil
		case r.end != nil:
			r.mu.Unlock()
			return 0, r.end
		case !r.reading && (r.settled || len(r.kept) > maxReplay || !r.whole):
			r.whole = false
			r.mu.Unlock()
			return r.direct(p)
		case !r.reading:
			r.reading = true
			if cap(r.kept)-len(r.kept) < minFetch {
				r.kept = slices.Grow(r.kept, max(minFetch, len(r.kept)))
			}
			go r.fetch(r.kept[len(r.kept):cap(r.kept)])
		}
		r.wake.Wait()
	}
}

// direct reads src without keeping anything. Only one attempt gets here.
func (r *replay) direct(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.passed(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.end = nil, err
	r.sent += int64(n)
	return n, err
}

// Close ends the attempt.
func (a *attempt) Close() error {
	r := a.r
	r.mu.Lock()
	defer r.mu.Unlock()
	a.closed = true
	r.wake.Broadcast()
	if r.whole {
		return nil
	}
	return r.src.Close()
}
