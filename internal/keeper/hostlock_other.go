//go:build !linux

package keeper

import "io"

// LockHost locks nothing here: only the ledger keeps two runs apart.
func LockHost(Claim) (io.Closer, error) { return hostLocks{}, nil }

// LockScope has nothing to say here.
func LockScope() string { return "" }
