package safeguards

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mishap"
)

// What is foreseen is what is refused: at each time, of windows and calendars, also
// where clocks are changed.
func TestWhatIsForeseenIsWhatIsRefusedThen(t *testing.T) {
	feed := filepath.Join(t.TempDir(), "feed.ics")
	if err := os.WriteFile(feed, []byte(feedText), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kind, with, from string }{
		{"window", `{"days": "Mon-Fri", "hours": "09:00-17:00", "timezone": "Europe/London"}`, "2026-03-20T00:00:00Z"},
		{"window", `{"days": "Mon-Fri", "hours": "09:00-17:00", "timezone": "Pacific/Auckland"}`, "2026-09-20T05:00:00Z"},
		{"window", `{"days": "Fri", "hours": "22:00-06:00", "timezone": "Europe/London"}`, "2026-10-16T00:00:00Z"},
		{"window", `{"hours": "01:00-02:00", "timezone": "Europe/London"}`, "2026-10-18T00:00:00Z"},
		{"window", `{"hours": "01:00-02:00", "timezone": "Europe/London"}`, "2026-03-22T00:00:00Z"},
		{"window", `{"hours": "01:30-03:00", "timezone": "Europe/London"}`, "2026-03-22T00:00:00Z"},
		{"window", `{"hours": "00:00-24:00", "timezone": "UTC"}`, "2026-03-22T00:00:00Z"},
		{"calendar", `{"dates": ["2026-12-24..2027-01-02", "2026-12-20"], "timezone": "America/New_York"}`, "2026-12-18T00:00:00Z"},
		{"calendar", `{"dates": ["2026-12-24..2026-12-26", "2026-12-25"], "timezone": "Europe/London", "during": "allow"}`, "2026-12-20T00:00:00Z"},
		{"calendar", `{"file": "` + feed + `", "timezone": "Europe/London"}`, "2026-03-23T00:00:00Z"},
	} {
		s := newOf(t, c.kind, c.with)
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		to := from.AddDate(0, 0, 14)
		spans, err := s.(mishap.Foreseer).Refuses(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		step := 10 * time.Minute
		if c.kind == "calendar" {
			step = time.Hour // each is read anew
		}
		for at := from; at.Before(to); at = at.Add(step) {
			foreseen := false
			for _, span := range spans {
				foreseen = foreseen || !at.Before(span.From) && at.Before(span.To)
			}
			err := s.Check(t.Context(), mishap.Situation{Now: at, Started: at})
			var veto *mishap.Veto
			if errors.As(err, &veto) != foreseen || err != nil && veto == nil {
				t.Errorf("%s %s at %s: foreseen %v, it says %v", c.kind, c.with, at.Format(time.RFC3339), foreseen, err)
				break
			}
		}
	}
}

func newOf(t *testing.T, kind, with string) mishap.Safeguard {
	t.Helper()
	for _, k := range Catalog(Deps{}) {
		if k.Name == kind {
			s, err := k.New([]byte(with))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	t.Fatal("there is no " + kind)
	return nil
}
