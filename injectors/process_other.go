//go:build !linux

package injectors

import (
	"errors"
	"syscall"
)

const (
	sigStop     = syscall.SIGSTOP
	sigContinue = syscall.SIGCONT
	sigKill     = syscall.SIGKILL
)

var errOnlyLinux = errors.New("faults on processes work on Linux only")

func findProcesses(processTargets) ([]process, error) { return nil, errOnlyLinux }

func lookUp(identity) (process, bool, error) { return process{}, false, errOnlyLinux }

func sendSignal(identity, syscall.Signal) (process, bool, error) {
	return process{}, false, errOnlyLinux
}
