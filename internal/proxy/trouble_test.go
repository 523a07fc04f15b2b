package proxy

import (
	"bytes"
	"context"
	"fmt"
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
		trouble := &troubles{proxy: "web", log: slog.New(slog.NewTextHandler(&log, nil))}
		if trouble.status() != nil {
			t.Error("trouble before there was any")
		}
		for range 100 {
			trouble.met("cannot reach a:1", syscall.ECONNREFUSED)
			time.Sleep(100 * time.Millisecond)
		}
		trouble.met("cannot reach a:1", syscall.EMFILE) // another
		trouble.met("cannot reach a:1", context.Canceled)
		time.Sleep(time.Minute)
		trouble.met("cannot reach a:1", fmt.Errorf("dial: %w", syscall.EMFILE))
		if n := strings.Count(log.String(), "\n"); n != 3 {
			t.Errorf("%d lines:\n%s", n, &log)
		}
		if last := trouble.status(); last.Times != 102 || !last.At.Equal(time.Now()) || !strings.Contains(last.What, "ulimit") {
			t.Errorf("%+v", last)
		}
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
