package server

import (
	"testing"
)

// A stream gets what happens, in order, and one that is too slow is cut off
// without keeping anybody waiting.
func TestASlowListenerKeepsNobodyWaiting(t *testing.T) {
	var h hub
	slow, done := h.listen(0)
	defer done()
	for range listenerBuffer + 1 {
		h.publish(event{})
	}
	got := 0
	for range slow {
		got++
	}
	if got != listenerBuffer {
		t.Errorf("a slow listener got %d", got)
	}
	again, end := h.listen(10)
	if e := <-again; e.Seq != 11 {
		t.Errorf("who comes again after 10 gets %d", e.Seq)
	}
	end()
	end() // twice does no harm
}
