//go:build !linux

package host

import (
	"context"
	"errors"
	"syscall"
)

const (
	sigStop     = syscall.SIGSTOP
	sigContinue = syscall.SIGCONT
)

var errOnlyLinux = errors.New("faults on processes work only on Linux")

func findSite() (site, error) { return site{}, errOnlyLinux }

func findProcesses(context.Context, string, processTargets) ([]process, int, error) {
	return nil, 0, errOnlyLinux
}

func lookUp(identity) (process, bool, error) { return process{}, false, errOnlyLinux }

func sendSignal(identity, syscall.Signal) (process, bool, error) {
	return process{}, false, errOnlyLinux
}
