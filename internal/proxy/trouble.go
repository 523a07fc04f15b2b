package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	logAgain = time.Minute // how long the same trouble is not logged again
	logOther = time.Second // how long nothing is logged after something was
)

// Trouble is what last went wrong between a proxy and the network. Traffic that is under way goes on.
type Trouble struct {
	What  string    `json:"what"` // and what to do
	At    time.Time `json:"at"`
	Times uint64    `json:"times"` // since the start, whatever it was
}

// troubles remembers trouble, and logs it without filling the log.
type troubles struct {
	proxy string
	log   *slog.Logger

	mu      sync.Mutex // never held while something is logged: what reads the log may stand still
	last    Trouble
	logged  Trouble
	logging bool // a line is being written
}

// met is to be called with every failure, and with what was tried.
func (t *troubles) met(tried string, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
		return // the proxy ends
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = Trouble{What: tried + ": " + advice(err), At: time.Now(), Times: t.last.Times + 1}
	since := t.last.At.Sub(t.logged.At)
	if t.logging || since < logOther || since < logAgain && t.last.What == t.logged.What {
		return
	}
	what, times := t.last.What, t.last.Times-t.logged.Times
	t.logged, t.logging = t.last, true
	go func() {
		t.log.Warn(what, "proxy", t.proxy, "times", times)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.logging = false
	}()
}

// status is the last trouble; nil if there was none.
func (t *troubles) status() *Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.Times == 0 {
		return nil
	}
	last := t.last
	return &last
}

// advice says why something failed, and what to do about it.
func advice(err error) string {
	var (
		name *net.DNSError
		late interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, syscall.EMFILE):
		return "this process has no file descriptor left: raise its limit (ulimit -n, LimitNOFILE=); each connection takes two"
	case errors.Is(err, syscall.ENFILE):
		return "this machine has no file descriptor left: raise fs.file-max, or end what holds them"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no local port is left for more connections: let the upstream have several addresses, or widen ip_local_port_range"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start the upstream, or correct its address"
	case errors.As(err, &name):
		return fmt.Sprintf("the name %s does not resolve: correct it, or wait until it does", name.Name)
	case errors.As(err, &late) && late.Timeout():
		return "no answer: " + err.Error()
	}
	return err.Error()
}
