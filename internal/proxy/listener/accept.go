package listener

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"mishap/internal/proxy/registry"
)

// accepting hands over what comes to a port until it is closed. A failure to accept, such as of too few file
// descriptors, is tried again after a while that grows.
func accepting[C net.Conn](ctx context.Context, trouble *registry.Troubles, accept func() (C, error), begin func(C)) {
	gap := firstAcceptGap
	for {
		client, err := accept()
		switch {
		case err == nil && keptBack(client):
			trouble.Met("a connection was refused", syscall.EMFILE)
			_ = client.Close()
		case err == nil:
			gap = firstAcceptGap
			begin(client)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			trouble.Met("new connections wait", err)
			select {
			case <-time.After(gap):
			case <-ctx.Done():
			}
			gap = min(2*gap, lastAcceptGap)
		}
	}
}
