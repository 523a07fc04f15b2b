package reporttest

import (
	"slices"
	"testing"

	"mishap"
	"mishap/internal/report"
)

// Later is the same story as another run, a day later.
func Later(t *testing.T, s *Story, id string, days int) *mishap.Run {
	t.Helper()
	entries := slices.Clone(s.Entries)
	for i := range entries {
		entries[i].Run, entries[i].At = id, entries[i].At.AddDate(0, 0, days)
	}
	r, err := mishap.Replay(entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// FiveDays are runs of one experiment, newest first.
func FiveDays(t *testing.T) []*mishap.Run {
	all := Scenes()
	return []*mishap.Run{
		Later(t, all["harmed"].Journal(t), "0b55d1e9", 4), Later(t, Stories()["refused"], "0b55d1e8", 3), Later(t, all["few"].Journal(t), "0b55d1e7", 2),
		Later(t, all["harmed"].Journal(t), "0b55d1e6", 1), all["cleared"].Journal(t).Run(t),
	}
}

// Trend is of [FiveDays].
func Trend(t *testing.T) report.Trend {
	return report.TrendOf("checkout-falls-back", FiveDays(t))
}
