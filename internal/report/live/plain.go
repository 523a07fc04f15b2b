package live

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"mishap"
	"mishap/internal/plaintext"
	"mishap/internal/report"
	"mishap/internal/report/words"
	"mishap/internal/terminal"
)

// plain writes a line whenever something changes.
type plain struct {
	w       io.Writer
	columns int // that a line has; 0: as many as it takes
	writer  *background
	changes map[string]*report.Changes // by run: several may be told of side by side
	mu      sync.Mutex
	lines   []string // not written yet
}

func newPlain(w io.Writer) *plain {
	v := &plain{w: w, columns: terminal.Of(w).Folds(), changes: map[string]*report.Changes{}}
	v.writer = inBackground(0, func(bool) { v.write() })
	return v
}

// Seen writes what is worth a line.
func (v *plain) Seen(e mishap.Entry, r *mishap.Run) {
	if v.changes[r.ID] == nil {
		v.changes[r.ID] = report.NewChanges()
	}
	var lines []string
	for _, c := range v.changes[r.ID].Of(e, r) {
		line := fmt.Sprintf("%s %-10s %s", words.Clock(e.At), c.Word, words.Clean(c.Text))
		lines = append(lines, words.Fold(strings.TrimRight(line, " "), v.columns)+"\n")
	}
	if lines == nil {
		return
	}
	v.mu.Lock()
	v.lines = append(v.lines, lines...)
	v.mu.Unlock()
	v.writer.soon()
}

// Say writes the text.
func (v *plain) Say(text string) {
	v.mu.Lock()
	v.lines = append(v.lines, text)
	v.mu.Unlock()
	v.writer.soon()
}

// Close waits until every line is written.
func (v *plain) Close() { v.writer.end() }

func (v *plain) write() {
	v.mu.Lock()
	lines := v.lines
	v.lines = nil
	v.mu.Unlock()
	_, _ = io.WriteString(v.w, plaintext.Of(strings.Join(lines, ""))) // who does not read on misses lines, not the run
}
