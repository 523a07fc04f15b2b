package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap/experiments"
)

// taker is a process that takes command lines.
type taker struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs lines
}

func newTaker(t *testing.T) *taker {
	k := &taker{t: t, cmd: exec.Command(os.Args[0])}
	k.cmd.Env = bounded(append(os.Environ(), "MISHAP_TEST_PROGRAM=", "MISHAP_TEST_INPUTS=1", "MISHAP_STATE="+t.TempDir()))
	k.cmd.Dir, k.cmd.Stderr = t.TempDir(), &k.errs
	in, err := k.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	k.in, k.out = in, bufio.NewReader(out)
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.cmd.Process.Kill(); _ = k.cmd.Wait() })
	return k
}

// take runs one command line. A process that crashes or hangs is the end.
func (k *taker) take(what string, args ...string) taken {
	k.t.Helper()
	hangs := time.AfterFunc(3*time.Minute, func() { _ = k.cmd.Process.Signal(syscall.SIGQUIT) })
	defer hangs.Stop()
	line, err := json.Marshal(args)
	if err == nil {
		_, err = k.in.Write(append(line, '\n'))
	}
	var got taken
	if err == nil {
		if line, err = k.out.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &got)
		}
	}
	if err != nil {
		_ = k.cmd.Wait()
		k.t.Fatalf("%s brought the reader down, or hung for three minutes: %v\n%.4000s", what, err, k.errs.String())
	}
	return got
}

// took is take, up to three times while it is too much work: the collector of the
// runtime and a busy machine have their share in one.
func (k *taker) took(what string, args ...string) taken {
	k.t.Helper()
	got := k.take(what, args...)
	for range 2 {
		if got.Work <= mostWork {
			break
		}
		got = k.take(what, args...)
	}
	return got
}

// No file of experiments brings the reader down, costs more than a second, or is
// answered by anything but yes or what is wrong with it.
func TestNoExperimentFileBringsTheReaderDown(t *testing.T) {
	a := newAttack(t)
	k := newTaker(t)
	library := shippedTexts(t)
	path := filepath.Join(t.TempDir(), "x.yaml")
	var most time.Duration
	valid := 0
	for n := range a.files {
		text := hostileFile(a.dice(n), library)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("file %d of seed %d", n, a.seed)
		got := k.took(what, "validate", path)
		if got.Code == 0 {
			valid++
			if next := k.took(what, "schedule", path); next.Work > got.Work {
				got = next
			}
		}
		if got.Code != 0 && got.Code != 2 || got.Work > mostWork {
			t.Errorf("%s (%d bytes): exit %d, %s of work\n%s\n%.300q", what, len(text), got.Code, got.Work, got.Said, text)
		}
		most = max(most, got.Work)
	}
	held := within256(t, "the reader", k.cmd.Process.Pid)
	if valid < a.files/50 {
		t.Errorf("only %d of %d files were valid: they try the parser alone", valid, a.files)
	}
	t.Logf("%d files, %d of them valid: most work for one %s, most memory %s", a.files, valid, most, mib(held))
}

func shippedTexts(t *testing.T) (all []string) {
	t.Helper()
	files, err := fs.Glob(experiments.Library(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(experiments.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// hostileFile is a shipped experiment that was changed by what YAML and experiments
// consist of, by bytes, or something that no experiment begins as.
func hostileFile(r *rand.Rand, library []string) []byte {
	text := pick(r, library)
	switch r.IntN(10) {
	case 0:
		return []byte(pick(r, monsters)(r))
	case 1, 2, 3:
		return changeBytes(r, []byte(text))
	}
	lines := strings.SplitAfter(text, "\n")
	for range 1 + r.IntN(4) {
		lines = changeLines(r, lines, library)
	}
	return []byte(strings.Join(lines, ""))
}
