package host_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/host"
)

// injectFromEnv makes this test binary a process that only injects.
const injectFromEnv = "MISHAP_TEST_INJECTION"

// TestInjectAndWait is not a test unless told to be: it is the process that
// TestAHalfDoneInjectEndsWithItsProcess kills.
func TestInjectAndWait(t *testing.T) {
	text, ok := os.LookupEnv(injectFromEnv)
	if !ok {
		t.Skip("only for another test")
	}
	var in mishap.Injection
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	injector, err := kind(host.Deps{}, in.Injector).Restore(in)
	if err != nil {
		t.Fatal(err)
	}
	t.Error("inject came back: ", injector.Inject(t.Context(), in))
}

// An inject that goes on after its process was killed would put the fault in
// behind the back of the revert that follows.
func TestAHalfDoneInjectEndsWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "begun")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Fatalf("make pipe: %v: %s", err, out)
	}
	_, in := preparedExec(t, host.Deps{}, execWith(dir, map[string]any{
		"inject": shell("echo $$ > pid; echo begun > begun; exec sleep 1000"), "timeout": "25s",
	}))
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestInjectAndWait$")
	c.Env = append(os.Environ(), injectFromEnv+"="+string(text))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	begun, err := os.OpenFile(pipe, os.O_RDWR|syscall.O_NONBLOCK, 0) // also to write, so that it never ends
	if err != nil {
		t.Fatal(err)
	}
	defer begun.Close()
	if err := begun.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(begun).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	end(c)
	mustEnd(t, filepath.Join(dir, "pid"))
}
