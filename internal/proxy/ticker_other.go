//go:build !linux

package proxy

import "errors"

// newTicker says that the timers of the runtime are all there is.
func newTicker() (ticker, error) { return nil, errors.New("not on this system") }
