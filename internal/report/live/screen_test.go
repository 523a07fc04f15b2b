package live_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"mishap"
	"mishap/internal/report/live"
	"mishap/internal/report/reporttest"
)

// liveScreen is what the live view of 80 columns shows after entries, in a bubble.
func liveScreen(t *testing.T, entries []mishap.Entry) string {
	t.Helper()
	return liveScreenOf(t, 80, entries)
}

// liveScreenOf is liveScreen of that many columns.
func liveScreenOf(t *testing.T, columns int, entries []mishap.Entry) string {
	t.Helper()
	s := newScreen(t, columns, 40)
	v := live.NewTerminal(s, columns, 40, false)
	for i := range entries { // the clock of a bubble starts long ago
		entries[i].At = time.Now().Add(entries[i].At.Sub(reporttest.Began()))
	}
	show(t, v, entries, nil)
	time.Sleep(entries[len(entries)-1].At.Sub(time.Now()))
	synctest.Wait()
	v.Close()
	return s.String()
}

// show plays a journal to a view; pause runs before each entry.
func show(t *testing.T, v live.View, entries []mishap.Entry, pause func(mishap.Entry)) {
	t.Helper()
	run := &mishap.Run{}
	for _, e := range entries {
		if err := run.Apply(e); err != nil {
			t.Fatal(err)
		}
		if pause != nil {
			pause(e)
		}
		v.Seen(e, run)
	}
}

// screen is a terminal that knows what the live view uses.
type screen struct {
	t             *testing.T
	columns, rows int
	lines         []string // all that were ever on it
	top, row      int      // first line on it; where the cursor is, counted from there
	hidden        bool
	raw           bytes.Buffer
	writes        atomic.Int64
}

func newScreen(t *testing.T, columns, rows int) *screen {
	return &screen{t: t, columns: columns, rows: rows, lines: []string{""}}
}

func (s *screen) Write(p []byte) (int, error) {
	s.writes.Add(1)
	s.raw.Write(p)
	for text := string(p); text != ""; {
		text = text[s.one(text):]
	}
	return len(p), nil
}

// one does what the beginning of a text says and returns its length.
func (s *screen) one(text string) int {
	at := s.top + s.row
	switch {
	case text[0] == '\n':
		if s.row++; s.row == s.rows {
			s.row, s.top = s.rows-1, s.top+1
		}
		for len(s.lines) <= s.top+s.row {
			s.lines = append(s.lines, "")
		}
		return 1
	case text[0] == '\r':
		return 1 // the view clears the line after it, always
	case text[0] == '\x1b':
		end := strings.IndexAny(text, "AKJmlh") + 1
		switch code := text[:end]; {
		case code == "\x1b[?25l", code == "\x1b[?25h":
			s.hidden = strings.HasSuffix(code, "l")
		case code == "\x1b[2K":
			s.lines[at] = ""
		case code == "\x1b[J":
			s.lines = append(s.lines[:at], "")
		case strings.HasSuffix(code, "A"):
			up := 0
			fmt.Sscanf(code, "\x1b[%dA", &up)
			if up > s.row {
				s.t.Errorf("the view goes up %d lines, of %d on the screen", up, s.row)
			}
			s.row -= min(up, s.row)
		case !strings.HasSuffix(code, "m"):
			s.t.Errorf("unexpected escape sequence %q", code)
		}
		return end
	}
	r, n := utf8.DecodeRuneInString(text)
	s.lines[at] += string(r)
	if utf8.RuneCountInString(s.lines[at]) >= s.columns {
		s.t.Errorf("line is too wide: %q", s.lines[at])
	}
	return n
}

func (s *screen) String() string { return strings.Join(s.lines, "\n") }
