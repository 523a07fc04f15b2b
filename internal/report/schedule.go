package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// Rhythm says in words when a schedule is due: "0 10 * * MON-FRI in UTC".
func Rhythm(s mishap.Schedule) string {
	text := s.Cron
	if s.About != nil {
		text = fmt.Sprintf("about every %d working days, %s,", s.About.Every, s.About.Hours)
	}
	text += " in " + s.Timezone
	if s.Jitter > 0 {
		text += fmt.Sprintf(", up to %s later", s.Jitter)
	}
	return text
}

// Moment is a time as the schedule's zone shows it.
func Moment(t time.Time, s mishap.Schedule) string {
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04:05 MST")
}

// Due writes one time of a schedule: when, and why it would not run.
func Due(w io.Writer, at time.Time, s mishap.Schedule, reason string) error {
	what := "runs"
	if reason != "" {
		what = "does not run: " + reason
	}
	const column = 32
	lines := words.Wrap(what, words.Width-column, words.Width-column)
	_, err := fmt.Fprintf(w, "  %-*s%s\n", column-2, Moment(at, s), strings.Join(lines, "\n"+strings.Repeat(" ", column)))
	return err
}
