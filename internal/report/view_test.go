package report_test

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
	"mishap/internal/report"
)

// show plays a journal to a view; pause runs before each entry.
func show(t *testing.T, v report.View, entries []mishap.Entry, pause func(mishap.Entry)) {
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

func TestViewOnAPipeIsPlainLines(t *testing.T) {
	all := stories()
	all["attacked"] = attacked(t)
	for _, name := range []string{"held", "deviated", "settled", "attacked"} {
		var out bytes.Buffer
		v := report.NewView(&out)
		show(t, v, all[name].entries, nil)
		v.Close()
		for line := range strings.Lines(out.String()) {
			if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\r\n\u009b") {
				t.Errorf("%s: a control character in %q", name, line)
			}
		}
		if name != "attacked" {
			golden(t, "plain-"+name+".txt", out.String())
		}
	}
}

// stuck is a reader that has stopped reading.
type stuck struct{ free chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.free; return len(p), nil }

func TestViewNeverMakesARunWaitForItsReader(t *testing.T) {
	for name, newView := range map[string]func(stuck) report.View{
		"plain": func(s stuck) report.View { return report.NewView(s) },
		"live":  func(s stuck) report.View { return report.NewLive(s, 80, 24, true) },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := stuck{free: make(chan struct{})}
			v := newView(s)
			start := time.Now()
			show(t, v, stories()["held"].entries, func(mishap.Entry) { synctest.Wait() })
			if d := time.Since(start); d != 0 {
				t.Errorf("%s: the run waited %s", name, d)
			}
			v.Close()
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("%s: Close waited %s", name, d)
			}
			close(s.free)
			v.Close() // a second time changes nothing
		})
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

func TestLiveViewRedrawsInPlaceAndLeavesTheEnd(t *testing.T) {
	for _, name := range []string{"held", "deviated", "stranded", "refused"} {
		synctest.Test(t, func(t *testing.T) {
			s := newScreen(t, 80, 24)
			v := report.NewLive(s, 80, 24, true)
			show(t, v, stories()[name].entries, func(e mishap.Entry) {
				if e.State != nil {
					time.Sleep(time.Second)
					synctest.Wait()
				}
			})
			v.Close()
			if s.hidden {
				t.Errorf("%s: the cursor stays hidden", name)
			}
			golden(t, "live-"+name+".txt", s.String())
		})
	}
}

func TestLiveViewShowsTimeLeftAndWhatComesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 80, 24)
		v := report.NewLive(s, 80, 24, false)
		defer v.Close()
		entries := tell(checkoutPlan()).in().look(1, one, mishap.Yes, feltByMany).observe(72, mishap.During, pays, mishap.Met, "200 in 310ms", "").entries
		for i := range entries { // the clock of a bubble starts long ago
			entries[i].At = time.Now().Add(entries[i].At.Sub(began))
		}
		show(t, v, entries, nil)
		time.Sleep(72 * time.Second)
		synctest.Wait()
		golden(t, "live-holding.txt", s.String())
		if strings.Contains(s.raw.String(), "\x1b[3") {
			t.Error("colours without being asked")
		}
	})
}

func TestLiveViewDrawsAtMostFourTimesASecondBesidesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 80, 24)
		v := report.NewLive(s, 80, 24, true)
		story := tell(checkoutPlan()).in()
		changes := len(story.entries)
		n, before := 0, int64(0)
		show(t, v, story.observe(1000, mishap.During, pays, mishap.Met, "200 in 10ms", "").entries, func(mishap.Entry) {
			if n++; n <= changes {
				return
			}
			synctest.Wait()
			if n == changes+1 {
				before = s.writes.Load()
			}
			time.Sleep(10 * time.Millisecond)
		})
		synctest.Wait()
		if got := s.writes.Load() - before; got < 35 || got > 40 {
			t.Errorf("%d drawings in 10 s", got)
		}
		v.Close()
	})
}

func TestLiveViewFitsASmallTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 40, 6)
		v := report.NewLive(s, 40, 6, true)
		show(t, v, stories()["held"].entries, func(e mishap.Entry) {
			if e.State != nil || e.Injection != nil {
				time.Sleep(300 * time.Millisecond)
				synctest.Wait()
			}
		})
		v.Close()
		if n := strings.Count(s.String(), "checkout-survives"); n != 1 {
			t.Errorf("the title is there %d times:\n%s", n, s)
		}
	})
}

func TestLiveViewOfAnotherRunLeavesTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 80, 24)
		v := report.NewLive(s, 80, 24, true)
		first, second := stories()["refused"].entries, stories()["refused"].entries
		for i := range second {
			second[i].Run = "second"
		}
		show(t, v, first, nil)
		show(t, v, second, nil)
		v.Close()
		if out := s.String(); !strings.Contains(out, "7f3a91c2  checkout") || !strings.Contains(out, "second  checkout") {
			t.Errorf("one of two runs is missing:\n%s", out)
		}
	})
}

func TestWhatIsSaidStaysBetweenWhatIsDrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 80, 24)
		v := report.NewLive(s, 80, 24, true)
		said := 0
		show(t, v, stories()["held"].entries, func(e mishap.Entry) {
			if e.State != nil {
				said++
				v.Say(fmt.Sprintf("said %d\n", said))
				time.Sleep(time.Second)
				synctest.Wait()
			}
		})
		v.Close()
		for n := range said {
			if strings.Count(s.String(), fmt.Sprintf("said %d\n", n+1)) != 1 {
				t.Errorf("what was said %d. is not on the screen once:\n%s", n+1, s)
			}
		}
		if strings.Count(s.String(), "7f3a91c2  checkout") != 1 {
			t.Errorf("the run is not on the screen once:\n%s", s)
		}
	})
	var out bytes.Buffer
	v := report.NewView(&out)
	v.Say("said\n")
	v.Close()
	if out.String() != "said\n" {
		t.Errorf("on a pipe: %q", out.String())
	}
}
