package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestTroubleIsLoggedOnceAMinuteAndCountedAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		trouble := &Troubles{proxy: "web", log: slog.New(slog.NewTextHandler(&log, nil))}
		if trouble.Status() != nil {
			t.Error("trouble before there was any")
		}
		for range 100 {
			trouble.Met("cannot reach a:1", syscall.ECONNREFUSED)
			synctest.Wait() // the line is written beside
			time.Sleep(100 * time.Millisecond)
		}
		trouble.Met("cannot reach a:1", syscall.EMFILE) // another
		synctest.Wait()
		trouble.Met("cannot reach a:1", context.Canceled)
		time.Sleep(time.Minute)
		trouble.Met("cannot reach a:1", fmt.Errorf("dial: %w", syscall.EMFILE))
		synctest.Wait()
		if n := strings.Count(log.String(), "\n"); n != 3 {
			t.Errorf("%d lines:\n%s", n, &log)
		}
		if last := trouble.Status(); last.Times != 102 || !last.At.Equal(time.Now()) || !strings.Contains(last.What, "ulimit") {
			t.Errorf("%+v", last)
		}
	})
}

// A log that nobody reads, such as a pipe that is full, stops no traffic and no control API.
func TestALogThatStandsStillHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		trouble := &Troubles{proxy: "web", log: slog.New(slog.NewTextHandler(writer, nil))}
		for range 3 {
			trouble.Met("cannot reach a:1", syscall.ECONNREFUSED)
			time.Sleep(2 * time.Minute)
		}
		if last := trouble.Status(); last.Times != 3 {
			t.Errorf("%+v", last)
		}
		_ = reader.Close()
	})
}

func TestTroubleSaysWhatToDo(t *testing.T) {
	late := &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
	for want, err := range map[string]error{
		"raise its limit":        syscall.EMFILE,
		"fs.file-max":            syscall.ENFILE,
		"start the upstream":     &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"no local port is left":  syscall.EADDRNOTAVAIL,
		"shop.test does not res": &net.DNSError{Name: "shop.test", IsNotFound: true},
		"no answer: dial tcp":    late,
		"no route":               syscall.EHOSTUNREACH,
	} {
		if got := advice(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q lacks %q", err, got, want)
		}
	}
}
