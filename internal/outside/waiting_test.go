package outside

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
)

// A read that hangs keeps a thread for ever, and a probe reads once a second.
func TestReadsThatNeverComeBackDoNotAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		again, begun := make(chan int), 0
		hang := func() (File, error) { <-again; return File{}, nil }
		for range mostWaiting {
			if _, err := inTime(over, "file", hang); err == nil || strings.Contains(err.Error(), "come back") {
				t.Fatalf("a read that hangs: %v", err)
			}
		}
		count := func() (File, error) { begun++; return File{}, nil }
		if _, err := inTime(t.Context(), "file", count); err == nil || !strings.Contains(err.Error(), "read file: 1000 reads before it have not come back") || begun != 0 {
			t.Errorf("one read too many was begun %d times: %v", begun, err)
		}
		close(again)
		synctest.Wait()
		if _, err := inTime(t.Context(), "file", count); err != nil || begun != 1 {
			t.Errorf("when all have come back: %v", err)
		}
	})
}
