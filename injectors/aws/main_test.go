package aws_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage be collected seldom, and keeps no profile of memory: what the
// thousands of trials allocate is small and soon done with.
func TestMain(m *testing.M) {
	runtime.MemProfileRate = 0
	debug.SetGCPercent(1000)
	os.Exit(m.Run())
}
