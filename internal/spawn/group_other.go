//go:build !unix

package spawn

import (
	"os"
	"os/exec"
)

// OwnGroup does nothing: there are no process groups here.
func OwnGroup(*exec.Cmd) {}

// KillGroup kills the command alone.
func KillGroup(leader *os.Process) error { return leader.Kill() }
