package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// accepting hands over what comes to a port until it is closed. A failure to accept, such as of too few file
// descriptors, is tried again after a while that grows.
func accepting[C net.Conn](ctx context.Context, log *slog.Logger, name string, accept func() (C, error), begin func(C)) {
	gap := firstAcceptGap
	for {
		client, err := accept()
		switch {
		case err == nil:
			gap = firstAcceptGap
			begin(client)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			log.Warn("accept failed", "proxy", name, "err", err)
			select {
			case <-time.After(gap):
			case <-ctx.Done():
			}
			gap = min(2*gap, lastAcceptGap)
		}
	}
}
