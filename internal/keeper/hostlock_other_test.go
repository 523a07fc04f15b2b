//go:build !linux

package keeper_test

// lockProcess is for tests of locks between processes, which are Linux's.
func lockProcess() {}
