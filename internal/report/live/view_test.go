package live_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/report/live"
	"mishap/internal/report/reporttest"
)

func TestViewOnAPipeIsPlainLines(t *testing.T) {
	all := reporttest.Stories()
	all["attacked"] = reporttest.Attacked(t)
	for _, name := range []string{"held", "deviated", "settled", "attacked"} {
		var out bytes.Buffer
		v := live.New(&out)
		show(t, v, all[name].Entries, nil)
		v.Close()
		for line := range strings.Lines(out.String()) {
			if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\r\n\u009b") {
				t.Errorf("%s: a control character in %q", name, line)
			}
		}
		if name != "attacked" {
			reporttest.Golden(t, "plain-"+name+".txt", out.String())
		}
	}
}

// stuck is a reader that has stopped reading.
type stuck struct{ free chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.free; return len(p), nil }

func TestViewNeverMakesARunWaitForItsReader(t *testing.T) {
	for name, newView := range map[string]func(stuck) live.View{
		"plain": func(s stuck) live.View { return live.New(s) },
		"live":  func(s stuck) live.View { return live.NewTerminal(s, 80, 24, true) },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := stuck{free: make(chan struct{})}
			v := newView(s)
			start := time.Now()
			show(t, v, reporttest.Stories()["held"].Entries, func(mishap.Entry) { synctest.Wait() })
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

func TestLiveViewRedrawsInPlaceAndLeavesTheEnd(t *testing.T) {
	for _, name := range []string{"held", "deviated", "stranded", "refused"} {
		synctest.Test(t, func(t *testing.T) {
			s := newScreen(t, 80, 24)
			v := live.NewTerminal(s, 80, 24, true)
			show(t, v, reporttest.Stories()[name].Entries, func(e mishap.Entry) {
				if e.State != nil {
					time.Sleep(time.Second)
					synctest.Wait()
				}
			})
			v.Close()
			if s.hidden {
				t.Errorf("%s: the cursor stays hidden", name)
			}
			reporttest.Golden(t, "live-"+name+".txt", s.String())
		})
	}
}

func TestLiveViewShowsTimeLeftAndWhatComesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 80, 24)
		v := live.NewTerminal(s, 80, 24, false)
		defer v.Close()
		entries := reporttest.Tell(reporttest.CheckoutPlan()).In().Look(1, reporttest.One, mishap.Yes, reporttest.FeltByMany()).Observe(72, mishap.During, reporttest.Pays, mishap.Met, "200 in 310ms", "").Entries
		for i := range entries { // the clock of a bubble starts long ago
			entries[i].At = time.Now().Add(entries[i].At.Sub(reporttest.Began()))
		}
		show(t, v, entries, nil)
		time.Sleep(72 * time.Second)
		synctest.Wait()
		reporttest.Golden(t, "live-holding.txt", s.String())
		if strings.Contains(s.raw.String(), "\x1b[3") {
			t.Error("colours without being asked")
		}
	})
}

func TestLiveViewDrawsAtMostFourTimesASecondBesidesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 80, 24)
		v := live.NewTerminal(s, 80, 24, true)
		story := reporttest.Tell(reporttest.CheckoutPlan()).In()
		changes := len(story.Entries)
		n, before := 0, int64(0)
		show(t, v, story.Observe(1000, mishap.During, reporttest.Pays, mishap.Met, "200 in 10ms", "").Entries, func(mishap.Entry) {
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
		v := live.NewTerminal(s, 40, 6, true)
		show(t, v, reporttest.Stories()["held"].Entries, func(e mishap.Entry) {
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
		v := live.NewTerminal(s, 80, 24, true)
		first, second := reporttest.Stories()["refused"].Entries, reporttest.Stories()["refused"].Entries
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
		v := live.NewTerminal(s, 80, 24, true)
		said := 0
		show(t, v, reporttest.Stories()["held"].Entries, func(e mishap.Entry) {
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
	v := live.New(&out)
	v.Say("said\n")
	v.Close()
	if out.String() != "said\n" {
		t.Errorf("on a pipe: %q", out.String())
	}
}

func TestARevertThatFailsIsALineAndTheReasonOfTheScreen(t *testing.T) {
	failing, _ := reporttest.Denied()
	var out bytes.Buffer
	v := live.New(&out)
	show(t, v, failing.Entries, nil)
	v.Close()
	const want = "revert payments is slow on proxy payments: denied: not authorized to SetQueueAttributes; it is tried again"
	if text := strings.Join(strings.Fields(out.String()), " "); strings.Count(text, want) != 1 {
		t.Errorf("the lines do not say once %q:\n%s", want, out.String())
	}
	synctest.Test(t, func(t *testing.T) {
		if text := strings.Join(strings.Fields(liveScreen(t, failing.Entries)), " "); !strings.Contains(text, "payments is slow on proxy payments is reverting: denied") {
			t.Errorf("the screen does not say why the revert failed:\n%s", text)
		}
	})
}
