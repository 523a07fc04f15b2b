package probes

import (
	"context"
	"errors"
	"net"
	"time"

	"mishap"
)

// failed turns the error of a call on the system into an observation. Refused,
// reset, cut off and late are answers of the system; a name server that fails,
// or an interrupted run, says nothing about it.
func failed(ctx context.Context, err error, start time.Time) mishap.Observation {
	took := short(time.Since(start))
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return unknown("interrupted")
	case errors.As(err, &dns) && !dns.IsNotFound:
		return unknown("name server: %v", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return unmet("no answer", "no answer within %s", took)
	default:
		return unmet("no answer", "%v", err)
	}
}
