package registry

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

// ProxyStatus is what the control API says of one proxy.
type ProxyStatus struct {
	Name     string   `json:"name"`
	Listen   string   `json:"listen"` // with the real port
	Upstream string   `json:"upstream"`
	Protocol string   `json:"protocol"`
	Open     int      `json:"open"`               // connections now; of udp, clients that are not silent
	Left     int      `json:"left,omitempty"`     // connections that a restart left in the process before; faults reach them too
	Total    uint64   `json:"total"`              // connections, or clients, since the start
	Refused  uint64   `json:"refused"`            // of them, those whose upstream could not be reached; of udp, datagrams
	Requests uint64   `json:"requests,omitempty"` // of http, answered since the start
	Faults   int      `json:"faults"`             // in force
	Edge     bool     `json:"edge,omitempty"`     // the clients are outside
	Egress   bool     `json:"egress,omitempty"`   // the upstream is outside
	Run      string   `json:"run,omitempty"`      // that it belongs to
	Trouble  *Trouble `json:"trouble,omitempty"`  // what last went wrong; nil if nothing has
}

// Trouble is what last went wrong between a proxy and the network. Traffic that is under way goes on.
type Trouble struct {
	What  string    `json:"what"` // and what to do
	At    time.Time `json:"at"`
	Times uint64    `json:"times"` // since the start, whatever it was
}

// Troubles remembers trouble, and logs it without filling the log.
type Troubles struct {
	proxy string
	log   *slog.Logger

	mu      sync.Mutex // never held while something is logged: what reads the log may stand still
	last    Trouble
	logged  Trouble
	logging bool // a line is being written
}

// NewTroubles makes that of one proxy.
func NewTroubles(proxy string, log *slog.Logger) *Troubles { return &Troubles{proxy: proxy, log: log} }

// Met is to be called with every failure, and with what was tried.
func (t *Troubles) Met(tried string, err error) {
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

// Status is the last trouble; nil if there was none.
func (t *Troubles) Status() *Trouble {
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
