//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// taken is what became of one command line.
type taken struct {
	Code int
	Work time.Duration // of processor
	Said string
}

// takeInputs runs command lines, one after another in one process, so that what
// one leaves behind meets the next: a line of JSON in, a line of JSON out.
func takeInputs() int {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var args []string
		if json.Unmarshal(in.Bytes(), &args) != nil {
			return 2
		}
		var said bytes.Buffer
		before := work()
		code := run(context.Background(), environment{args: args, in: strings.NewReader(""), out: io.Discard, err: &said})
		line, err := json.Marshal(taken{code, work() - before, said.String()[:min(said.Len(), 2000)]})
		if err != nil {
			return 1
		}
		fmt.Printf("%s\n", line)
	}
	return 0
}

// work is the processor time of this process so far.
func work() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
