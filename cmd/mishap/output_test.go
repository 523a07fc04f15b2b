package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// valve is a reader that reads when it is let.
type valve struct {
	open chan struct{}
	bytes.Buffer
}

func (v *valve) Write(p []byte) (int, error) { <-v.open; return v.Buffer.Write(p) }

func TestAReaderThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &valve{open: make(chan struct{})}
		c := &console{to: v}
		start := time.Now()
		line := strings.Repeat("x", 1023) + "\n"
		for range 3000 {
			fmt.Fprint(c, line)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("writing waited %s", took)
		}
		c.drain()
		c.drain()
		if took := time.Since(start); took != patience {
			t.Errorf("two drains waited %s, want %s", took, patience)
		}
		close(v.open)
		synctest.Wait()
		fmt.Fprint(c, "the last\n")
		c.drain()
		if n := strings.Count(v.String(), line); n < mostQueued>>10 || n >= 3000 {
			t.Errorf("%d lines were kept", n)
		} else if said := saidLost(v.String()); said != 3000-n || !strings.HasSuffix(v.String(), "the last\n") {
			t.Errorf("it ends with %q, and says that %d were lost, of %d", v.String()[v.Len()-100:], said, 3000-n)
		}
	})
}

// saidLost is how many messages a text says were lost: before and after what was kept
// while the first of it waited to be written.
func saidLost(text string) (n int) {
	for _, found := range regexp.MustCompile(`mishap: (\d+) messages could not be written\n`).FindAllStringSubmatch(text, -1) {
		one, _ := strconv.Atoi(found[1])
		n += one
	}
	return n
}

// failing writes nothing.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAFullDiskCostsLinesAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &console{to: failing{syscall.ENOSPC}}
		for range 3 {
			fmt.Fprintln(c, "lost")
			synctest.Wait()
		}
		c.to = &out
		fmt.Fprintln(c, "there is room")
		c.drain()
		if want := "mishap: 3 messages could not be written\nthere is room\n"; out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}

func TestTheResultComesAfterWhatWasSaidBefore(t *testing.T) {
	pr, pw := io.Pipe()
	said := &console{to: pw}
	out := result{pw, said}
	go func() {
		for range 20 {
			fmt.Fprintln(said, "said")
		}
		fmt.Fprintln(out, "result")
		_ = pw.Close()
	}()
	text, _ := io.ReadAll(pr)
	if !strings.HasSuffix(string(text), "said\nresult\n") {
		t.Errorf("%q", text)
	}
}

func TestOnlyAReaderThatIsGoneIsEnough(t *testing.T) {
	gone, full := unwritten{syscall.EPIPE}, unwritten{syscall.ENOSPC}
	for want, errs := range map[bool][]error{
		true:  {gone, fmt.Errorf("write: %w", gone), errors.Join(gone, gone)},
		false: {full, syscall.EPIPE, errors.Join(gone, errors.New("another")), errors.Join(gone, full)},
	} {
		for _, err := range errs {
			if enough(err) != want {
				t.Errorf("enough(%v) is %v", err, !want)
			}
		}
	}
}
