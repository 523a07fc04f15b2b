package attempts_test

import (
	"testing"

	"mishap/internal/proxy/attempts"
)

func TestAWatchThatNobodyReadsSaysWhatWasLost(t *testing.T) {
	if seq, lost, kept := attempts.Overflow(attempts.KeptAttempts + 10); seq != attempts.KeptAttempts+10 || lost != 10 || kept != attempts.KeptAttempts {
		t.Errorf("seq %d, lost %d, kept %d", seq, lost, kept)
	}
}
