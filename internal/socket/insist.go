package socket

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"time"
)

// Insist calls again what a listener with a [Limit] may have cut off, until the context
// ends. What is called must be the same whether it is done once or twice.
func Insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		if !cutOff(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(settling):
		}
	}
}

// cutOff reports a connection that ended before there was an answer.
func cutOff(err error) bool {
	if err == nil {
		return false
	}
	const idle = "server closed idle connection" // net/http's, which has no name: before anything was sent
	return strings.Contains(err.Error(), idle) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
