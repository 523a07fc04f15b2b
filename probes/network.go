package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	"mishap/internal/outside"
)

// The stages of a network call, as a detail names them.
const (
	stageLookup    = "looking up the name"
	stageConnect   = "connecting"
	stageHandshake = "in the TLS handshake"
	stageSend      = "sending"
	stageWait      = "waiting for the answer"
	stageRead      = "reading the answer"
)

// stageError is an error with the stage that it happened in.
type stageError struct {
	stage string
	error
}

func (e *stageError) Unwrap() error { return e.error }

// stage follows a network call, which may use several goroutines.
type stage struct{ name atomic.Value }

// follow returns a context that tells the stage how far the call got.
func follow(ctx context.Context) (context.Context, *stage) {
	s := &stage{}
	s.name.Store(stageConnect)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { s.name.Store(stageLookup) },
		DNSDone:              func(httptrace.DNSDoneInfo) { s.name.Store(stageConnect) },
		TLSHandshakeStart:    func() { s.name.Store(stageHandshake) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { s.name.Store(stageSend) },
		GotConn:              func(httptrace.GotConnInfo) { s.name.Store(stageSend) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { s.name.Store(stageWait) },
		GotFirstResponseByte: func() { s.name.Store(stageRead) },
	}), s
}

// mark adds the stage to err.
func (s *stage) mark(err error) error {
	return &stageError{stage: s.name.Load().(string), error: err}
}

// ownLimits are errors of this machine: the measuring could not even begin.
func ownLimits() []error {
	return []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS,
		syscall.EADDRNOTAVAIL, syscall.EACCES, syscall.EPERM, outside.ErrForbidden,
	}
}

// blame says in words what a network error was, and whether the system is at
// fault: refused, reset, unreachable, a wrong handshake, a name that does not
// exist. A resolver that does not answer and limits of this machine are not.
func blame(err error) (reason string, system bool) {
	// Both of these repeat the URL, with its query.
	if call := new(url.Error); errors.As(err, &call) {
		err = call.Err
	}
	if at := new(stageError); errors.As(err, &at) {
		err = at.error
	}
	reason = err.Error()
	if strings.Contains(reason, "readLoopPeekFailLocked") {
		// What net/http says, without words, of a peer that spoke before it was asked.
		return "malformed answer: the peer does not speak HTTP", true
	}
	if lookup := new(net.DNSError); errors.As(err, &lookup) {
		return reason, lookup.IsNotFound
	}
	if roots := new(x509.SystemRootsError); errors.As(err, roots) {
		return reason, false
	}
	for _, own := range ownLimits() {
		if errors.Is(err, own) {
			return reason, false
		}
	}
	return reason, true
}
