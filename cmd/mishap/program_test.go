package main

import (
	"os"
	"os/exec"
)

// program is a command of the real program, which the test binary is when it is
// told so. It is the one way to start it; what it is to find in its environment
// beside that of the tests is given.
func program(env []string, args ...string) *exec.Cmd { return programOf(os.Args[0], env, args...) }

// programOf is program of another test binary: one that is elsewhere, or of the
// version before.
func programOf(path string, env []string, args ...string) *exec.Cmd {
	c := exec.Command(path, args...)
	c.Env = append(os.Environ(), isProgram)
	c.Env = append(c.Env, env...)
	return c
}

// isProgram lets a test binary be the program.
const isProgram = "MISHAP_TEST_PROGRAM=1"
