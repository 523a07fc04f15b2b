//go:build !linux

package proxy

// usableMemory is how much memory this process may use, in bytes; not known here, so that it is little.
func usableMemory() int64 { return 1 << 30 }
