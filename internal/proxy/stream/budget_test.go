package stream_test

import (
	"testing"

	"mishap/internal/proxy/stream"
)

// TestNoLineTakesAllTheRoom: each gets half of what those before it left.
func TestNoLineTakesAllTheRoom(t *testing.T) {
	const shared, step = 64 << 20, 32 << 10
	left := int64(shared)
	for i, taken := range stream.Shares(shared, step, 5) {
		if taken < left/2-step || taken > left/2+step {
			t.Errorf("line %d took %d of %d", i, taken, left)
		}
		left -= taken
	}
}
