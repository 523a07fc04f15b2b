package console_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/report/reporttest"
)

// dayOf is what the calendar shows of a day.
func dayOf(t *testing.T, page string, day time.Time) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "<h2>"+day.UTC().Format("Mon 2 Jan"))
	if !found {
		t.Fatalf("there is no %s", day)
	}
	one, _, _ := strings.Cut(rest, "</section>")
	return one
}

func TestCalendarHasALaneOfWhenNothingStarts(t *testing.T) {
	now := time.Now().UTC()
	monday := now.Truncate(24*time.Hour).AddDate(0, 0, -(int(now.Weekday())+6)%7-7) // of last week
	blackout := monday.AddDate(0, 0, 8)
	w := newWorld(t)
	g := &w.settings.Live().Governor
	g.Window = json.RawMessage(`{"days": "Mon-Fri", "hours": "09:00-17:00", "timezone": "UTC"}`)
	g.Calendar = json.RawMessage(fmt.Sprintf(`{"dates": ["%s..%s"], "timezone": "UTC"}`, blackout.Format(time.DateOnly), blackout.AddDate(0, 0, 1).Format(time.DateOnly)))
	g.Freezes = []mishap.ProbeSpec{{Name: "no-incident", Probe: "exec", With: json.RawMessage(`{"argv": ["false"]}`), Expect: json.RawMessage(`{"exit": 0}`), Timeout: mishap.Duration(10 * time.Second)}}
	first := monday.AddDate(0, 0, 2).Add(10 * time.Hour) // a Wednesday
	for _, h := range []ledger.Halt{{By: "ann", Reason: "an <b>incident</b>", At: first}, {By: "bob", Reason: "the same", At: first.Add(time.Minute)}} {
		if err := w.book.Halt(ledger.Through(t.Context(), ledger.InConsole), h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.book.Resume(ledger.Through(t.Context(), ledger.InConsole), "ann", "it is over", first.Add(26*time.Hour+30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	_, _, page := w.signedIn("viewer").get("/calendar?from=" + monday.Format(time.DateOnly))
	night := `<rect class="window" x="0" width="540" height="10"/>`
	for _, c := range []struct {
		day  int
		says []string
		not  []string
	}{
		{0, []string{night, `<rect class="window" x="1020" width="420" height="10"/>`}, []string{"halted", "blackout", `class="closed"`}},
		{2, []string{night, `<rect class="halt" x="600" width="840" height="10"/>`, "from 10:00: <bdi>an &lt;b&gt;incident&lt;/b&gt;</bdi>, by <bdi>ann</bdi>"}, []string{"bob", "the same"}},
		{3, []string{`<rect class="halt" x="0" width="750" height="10"/>`, "until 12:30: <bdi>an"}, nil},
		{4, []string{night}, []string{"halted"}},
		{5, []string{`<rect class="window" x="0" width="1440" height="10"/>`}, nil},
		{7, nil, []string{"blackout"}},
		{8, []string{`<rect class="calendar" x="0" width="1440" height="10"/>`, "blackout</strong> from 00:00: "}, nil},
		{9, []string{"blackout</strong> all day: "}, nil},
		{10, nil, []string{"blackout"}},
	} {
		day := dayOf(t, page, monday.AddDate(0, 0, c.day))
		for _, want := range c.says {
			if !strings.Contains(day, want) {
				t.Errorf("day %d does not say %q: %s", c.day, want, day)
			}
		}
		for _, never := range c.not {
			if strings.Contains(day, never) {
				t.Errorf("day %d says %q", c.day, never)
			}
		}
	}
	if today := dayOf(t, page, now); !strings.Contains(today, "frozen</strong> from ") || !strings.Contains(today, "freeze no-incident: ") {
		t.Errorf("that a freeze says no stands not there today: %s", today)
	}
	for _, key := range []string{"outside of the window", "blackout", "frozen", "halted"} {
		if !strings.Contains(page, "</svg>"+key) {
			t.Errorf("the legend lacks %q", key)
		}
	}
}

func TestAHaltThatGoesOnHasNoEndInTheCalendar(t *testing.T) {
	w := newWorld(t)
	at := time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour).Add(10 * time.Hour)
	if err := w.book.Halt(t.Context(), ledger.Halt{By: "ann", Reason: "an incident", At: at}); err != nil {
		t.Fatal(err)
	}
	_, _, page := w.signedIn("viewer").get("/calendar?from=" + at.Format(time.DateOnly))
	for day, want := range map[time.Time]string{at: "from 10:00: <bdi>an incident", at.AddDate(0, 0, 1): "all day: <bdi>an incident"} {
		if says := dayOf(t, page, day); !strings.Contains(says, want) {
			t.Errorf("%s says %s", day, says)
		}
	}
	if says := dayOf(t, page, at.AddDate(0, 0, 5)); strings.Contains(says, "halted") {
		t.Errorf("a day that has not come is halted: %s", says)
	}
}

func TestWhatCannotBeToldOfTheCalendarIsSaid(t *testing.T) {
	w := newWorld(t)
	w.settings.Live().Governor.Calendar = json.RawMessage(`{"file": "/nobody/has/this.ics", "timezone": "UTC"}`)
	for range 1001 {
		if err := w.book.Record(t.Context(), ledger.Act{At: time.Now(), By: "ann", What: "startRun"}); err != nil {
			t.Fatal(err)
		}
	}
	_, _, page := w.signedIn("viewer").get("/calendar")
	if strings.Count(page, "something is not known") != 2 || !strings.Contains(page, "this.ics") || !strings.Contains(page, "further back in the audit") {
		t.Error("it does not say what is not known")
	}
}

func TestACrowdedDaySaysHowManyMoreThereAreAndLeadsToThem(t *testing.T) {
	w := newWorld(t)
	for i := range mostShown + 5 {
		w.ran(fmt.Sprintf("0c%02d", i), reporttest.Stories()["refused"], "often", 40*time.Hour)
	}
	day := time.Now().UTC().Add(-40 * time.Hour)
	p := w.signedIn("viewer")
	_, _, page := p.get("/calendar?from=" + day.Format(time.DateOnly))
	all := "/calendar?day=" + day.Format(time.DateOnly)
	if crowded := dayOf(t, page, day); strings.Count(crowded, `href="/runs/0c`) != mostShown || !strings.Contains(crowded, `<a href="`+all+`">and 5 more</a>`) {
		t.Errorf("the day among others:\n%s", crowded)
	}
	_, _, page = p.get(all)
	if one := dayOf(t, page, day); strings.Count(one, `href="/runs/0c`) != mostShown+5 || strings.Contains(one, "more") || strings.Count(page, "<h2>") != 1 {
		t.Errorf("the day alone:\n%s", page)
	}
	for _, want := range []string{`href="/calendar?day=` + day.AddDate(0, 0, 1).Format(time.DateOnly) + `"`, `href="/calendar?from=` + day.AddDate(0, 0, -(int(day.Weekday())+6)%7).Format(time.DateOnly) + `"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the day alone lacks %s", want)
		}
	}
}

// mostShown is how much of one day is shown among others.
const mostShown = 20
