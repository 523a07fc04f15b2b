//go:build !linux

package keeper

import (
	"os"
	"time"
)

// preallocate does nothing here.
func preallocate(*os.File, int64) error { return nil }

var started = time.Now()

// bootNanos counts from the start of the process here; the wall clock tells of
// sleep.
func bootNanos() int64 { return int64(time.Since(started)) }
