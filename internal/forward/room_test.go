package forward_test

import (
	"testing"
	"testing/synctest"

	"mishap/internal/forward"
)

// TestBodiesThatWaitAreBounded fills the room for them, and lets one who waits go on when there is some, or leave.
func TestBodiesThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r forward.Room
		const piece = forward.MaxUnread / 4
		for i := range 4 {
			if !r.Take(piece) {
				t.Fatalf("no room for piece %d", i)
			}
		}
		if r.Take(1) {
			t.Fatal("there was room for more than all")
		}
		got, leaves, left := make(chan bool, 1), make(chan struct{}), make(chan bool, 1)
		go func() { got <- r.Await(piece, nil) }()
		go func() { left <- r.Await(3*piece, leaves) }()
		synctest.Wait()
		if len(got)+len(left) > 0 {
			t.Fatal("nobody waited")
		}
		r.Give(piece)
		if !<-got {
			t.Error("one who waited got nothing")
		}
		close(leaves)
		if <-left {
			t.Error("one who left got something")
		}
		r.Give(4 * piece)
		if !r.Take(2 * forward.MaxUnread) {
			t.Error("one piece alone, however large, had no room")
		}
	})
}
