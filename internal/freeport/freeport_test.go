package freeport

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestMain is also a process that has a port until its input ends.
func TestMain(m *testing.M) {
	if os.Getenv("FREEPORT_TEST") == "" {
		os.Exit(m.Run())
	}
	fmt.Println(Port())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// Packages are tested side by side, and a server on a busy machine listens long
// after it was told where.
func TestAPortIsOfOneProcessUntilThatEnds(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: ports are kept from other processes on Linux alone")
	}
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "FREEPORT_TEST=1")
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !free(port) {
		t.Fatalf("port %d, %v", port, err)
	}
	if _, mine := reserve(port); mine {
		t.Error("a port that nobody listens on yet is given to two processes")
	}
	_ = in.Close()
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	l, mine := reserve(port)
	if !mine {
		t.Fatal("a port is kept by a process that has ended")
	}
	_ = l.Close()
}
