package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"mishap/internal/ledger"
)

// held is a ledger that is written to until free is called.
func held(t *testing.T, l *ledger.SQLite) (free func()) {
	t.Helper()
	begun, end, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { over <- l.Hold(context.Background(), func() { close(begun); <-end }) }()
	<-begun
	return func() { close(end); must(t, <-over) }
}

// A tree of ten thousand schedules is one write: what only reads goes on
// meanwhile, however many want to write as well.
func TestNoReadWaitsForAWrite(t *testing.T) {
	l := open(t, t.TempDir())
	free := held(t, l)
	const many = 10
	written := make(chan error, many)
	for range many {
		go func() { written <- l.Record(t.Context(), ledger.Act{At: time.Now(), By: "ann", What: "x"}) }()
	}
	for l.Waited() < many {
		runtime.Gosched()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // else it waits for what is held until it has read
	defer cancel()
	_, err := l.Halted(ctx)
	must(t, err)
	_, err = l.Audit(ctx, 0, 0, 10)
	must(t, err)
	if len(written) > 0 {
		t.Error("a write ended before the one that was held")
	}
	free()
	for range many {
		must(t, <-written)
	}
}

// A caller that gave no deadline, as one that stops, is not held up for ever by
// those who write.
func TestNoWriteWaitsForItsTurnForEver(t *testing.T) {
	l := open(t, t.TempDir())
	free := held(t, l)
	l.Patient(time.Millisecond)
	if err := l.Record(context.Background(), ledger.Act{At: time.Now(), By: "ann", What: "x"}); err == nil {
		t.Error("it was written while another write was held")
	}
	free()
	l.Patient(time.Hour)
	must(t, l.Record(context.Background(), ledger.Act{At: time.Now(), By: "ann", What: "x"}))
}

// Another process that locks the file altogether, so that it cannot even be read,
// holds nobody up beyond a deadline who needs a new connection.
func TestALockedFileHoldsNobodyUpBeyondADeadline(t *testing.T) {
	dir, err := os.MkdirTemp("", "locked")
	must(t, err)
	t.Cleanup(func() {
		for os.RemoveAll(dir) != nil { // what was given up still opens the file once it may
			runtime.Gosched()
		}
	})
	must(t, open(t, dir).Close())
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: filepath.Join(dir, "ledger.db"), RawQuery: "_pragma=locking_mode(EXCLUSIVE)"}).String())
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"BEGIN EXCLUSIVE", "UPDATE halt SET by = 'x'"} {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ledger.Connect(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("who had no time left was answered %v", err)
	}
}
