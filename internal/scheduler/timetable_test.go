package scheduler

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"mishap"
)

func table(t *testing.T, s mishap.Schedule) *Timetable {
	t.Helper()
	if s.Timezone == "" {
		s.Timezone = "UTC"
	}
	got, err := New("checkout", s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// What people mean on the two odd days of the year, with instants worked out by
// hand from the zones' rules.
func TestClockChangesFireOnceAndSkipNothing(t *testing.T) {
	for _, c := range []struct {
		name, cron, zone, after string
		want                    []string
	}{
		{"an ordinary day", "30 1 * * *", "Europe/London", "2026-06-01T12:00:00Z", []string{"2026-06-02T00:30:00Z", "2026-06-03T00:30:00Z"}},
		{"London skips 01:30, so it fires at 02:00", "30 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"several skipped times fire once", "*/20 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"a skipped time and the hour after it are one", "0 1,2 * * *", "Europe/London", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"London has 01:30 twice, it fires the first time", "30 1 * * *", "Europe/London", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked between the two", "30 1 * * *", "Europe/London", "2026-10-25T01:10:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"02:00 comes once", "0 2 * * *", "Europe/London", "2026-10-24T12:00:00Z", []string{"2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"}},
		{"every hour means every hour", "30 * * * *", "Europe/London", "2026-10-25T00:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
		{"every hour over the hour that is skipped", "30 * * * *", "Europe/London", "2026-03-29T00:00:00Z", []string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"}},
		{"New York skips 02:30", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", []string{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}},
		{"New York has 01:30 twice", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", []string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
		{"Lord Howe moves by half an hour: 02:15 is skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		{"Lord Howe has 01:45 twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T02:00:00Z", []string{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
		{"Samoa skipped the whole of 30 December 2011", "0 10 * * *", "Pacific/Apia", "2011-12-29T20:30:00Z", []string{"2011-12-30T10:00:00Z", "2011-12-30T20:00:00Z"}},
		{"29 February over a century that is no leap year", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"a descriptor", "@weekly", "UTC", "2026-11-23T00:00:00Z", []string{"2026-11-29T00:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := table(t, mishap.Schedule{Cron: c.cron, Timezone: c.zone})
			after := at(t, c.after)
			for _, want := range c.want {
				tick, ok := got.Next(after)
				if !ok || !tick.At.Equal(at(t, want)) {
					t.Fatalf("after %s: got %s, want %s", after, tick.At, want)
				}
				after = tick.At
			}
		})
	}
}

func TestBadSchedulesAreRefusedWithTheirPlace(t *testing.T) {
	for _, c := range []struct {
		s    mishap.Schedule
		want []string
	}{
		{mishap.Schedule{Timezone: "UTC"}, []string{"cron: a schedule needs"}},
		{mishap.Schedule{Cron: "* * * *", Timezone: "UTC"}, []string{"cron: \"* * * *\" has 4 fields"}},
		{mishap.Schedule{Cron: "0 0 * * * *", Timezone: "UTC"}, []string{"6 fields"}},
		{mishap.Schedule{Cron: "61 * * * *", Timezone: "UTC"}, []string{"is not a cron expression"}},
		{mishap.Schedule{Cron: "0 0 30 2 *", Timezone: "UTC"}, []string{"can never fire"}},
		{mishap.Schedule{Cron: "@every 5m", Timezone: "UTC"}, []string{"counts from the start"}},
		{mishap.Schedule{Cron: "@reboot", Timezone: "UTC"}, []string{"not a time"}},
		{mishap.Schedule{Cron: "@sometimes", Timezone: "UTC"}, []string{"is not a cron expression"}},
		{mishap.Schedule{Cron: "CRON_TZ=UTC 0 0 * * *", Timezone: "UTC"}, []string{"time zone does not belong"}},
		{mishap.Schedule{Cron: "nonsense", Timezone: "Mars/Olympus"}, []string{"timezone: \"Mars/Olympus\"", "cron: \"nonsense\""}},
		{mishap.Schedule{Cron: "@daily", Timezone: "Local"}, []string{"timezone"}},
		{mishap.Schedule{About: &mishap.About{Every: 0, Hours: "09:00-15:00"}, Timezone: "UTC"}, []string{"about.every"}},
		{mishap.Schedule{About: &mishap.About{Every: 1, Hours: "15:00-09:00"}, Timezone: "UTC"}, []string{"about.hours"}},
		{mishap.Schedule{About: &mishap.About{Every: 1, Hours: "9-15:00"}, Cron: "@daily", Timezone: "UTC"}, []string{"about: a schedule has either"}},
		{mishap.Schedule{About: &mishap.About{Every: 1, Hours: "09:00-15:00"}, Jitter: 1, Timezone: "UTC"}, []string{"jitter"}},
	} {
		_, err := New("x", c.s)
		if err == nil {
			t.Errorf("%+v is taken", c.s)
			continue
		}
		var field *mishap.FieldError
		if !errors.As(err, &field) || field.Hint == "" {
			t.Errorf("%v: has no place or no hint", err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want %q in it", err, want)
			}
		}
	}
}

// Where the hours are all hours, however they are written, no clock change is
// seen in UTC.
func TestAllHoursGoOnThroughClockChanges(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/London", "Europe/Berlin", "America/New_York", "Antarctica/Troll", "Africa/Casablanca", "Africa/Cairo", "Pacific/Apia", "Australia/Lord_Howe"} {
		for _, hours := range []string{"*", "?", "*/1", "0-23", "0-23/1", "0-11,12-23", "12-23,0-11", "*,5", "5,*", "0/1", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23"} {
			for minutes, step := range map[string]time.Duration{"*/15": 15 * time.Minute, "0,30": 30 * time.Minute, "7": time.Hour} {
				if zone == "Australia/Lord_Howe" && step == time.Hour {
					continue // its clocks move by half an hour, so that minute 7 does too
				}
				got := table(t, mishap.Schedule{Cron: minutes + " " + hours + " * * *", Timezone: zone})
				for _, around := range changesOf(t, zone, "2011-06-01T00:00:00Z", "2012-06-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z") {
					last, _ := got.Next(around.Add(-3 * time.Hour))
					for range 30 {
						tick, ok := got.Next(last.At)
						if !ok || tick.At.Sub(last.At) != step {
							t.Fatalf("%s %s in %s: after %s comes %s, want %s later", minutes, hours, zone, last.At, tick.At, step)
						}
						last = tick
					}
				}
			}
		}
	}
}

// changesOf are the clock changes of a zone between pairs of times.
func changesOf(t *testing.T, zone string, spans ...string) (all []time.Time) {
	t.Helper()
	for i := 0; i < len(spans); i += 2 {
		for now, end := at(t, spans[i]), at(t, spans[i+1]); now.Before(end); {
			_, next := now.In(mustZone(t, zone)).ZoneBounds()
			if next.IsZero() {
				break
			}
			all, now = append(all, next), next
		}
	}
	return all
}

// What a minute that half an hour's shift leaves out becomes: the next instant
// there is.
func TestLordHoweMovesByHalfAnHour(t *testing.T) {
	got := table(t, mishap.Schedule{Cron: "15 * * * *", Timezone: "Australia/Lord_Howe"})
	after := at(t, "2026-10-03T14:00:00Z")
	for _, want := range []string{"2026-10-03T14:45:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:15:00Z"} {
		tick, _ := got.Next(after)
		if !tick.At.Equal(at(t, want)) {
			t.Fatalf("after %s comes %s, want %s", after, tick.At, want)
		}
		after = tick.At
	}
}

// As in Vixie's cron: a field of days that begins with * is no restriction of
// its own, and both must fit; of two others, either.
func TestDaysOfMonthAndWeek(t *testing.T) {
	for cron, want := range map[string]string{
		"0 10 */2 * MON":     "2026-11-09 2026-11-23 2026-12-07", // odd days that are Mondays
		"0 10 1-7 * */7":     "2026-11-01 2026-12-06 2027-01-03", // first Sundays
		"0 10 1,15 * MON":    "2026-11-01 2026-11-02 2026-11-09",
		"0 10 * * MON":       "2026-11-02 2026-11-09 2026-11-16",
		"0 10 13 * *":        "2026-11-13 2026-12-13 2027-01-13",
		"0 10 */1 * MON":     "2026-11-02 2026-11-09 2026-11-16",
		"0 10 ? * MON":       "2026-11-02 2026-11-09 2026-11-16",
		"0 10 31 2 MON":      "2027-02-01 2027-02-08 2027-02-15",
		"0 10 1-7 JAN,3 sun": "2027-01-01 2027-01-02 2027-01-03",
	} {
		got := table(t, mishap.Schedule{Cron: cron})
		var days []string
		for _, tick := range got.Between(at(t, "2026-11-01T00:00:00Z"), at(t, "2028-11-01T00:00:00Z"), 3) {
			days = append(days, tick.At.Format(time.DateOnly))
		}
		if strings.Join(days, " ") != want {
			t.Errorf("%s fires on %s, want %s", cron, strings.Join(days, " "), want)
		}
	}
}

func TestWhatAScheduleIsTakenForIsAWarning(t *testing.T) {
	for _, c := range []struct{ cron, zone, want string }{
		{"0 10 */2 * MON", "UTC", "fit both */2 and MON"},
		{"0 10 1,15 * MON", "UTC", "fit 1,15, and also on those that fit MON"},
		{"*/15 0-23 * * *", "Europe/Berlin", "the hours 0-23 are all hours"},
		{"*/15 */1 * * *", "Europe/Berlin", "the hours */1 are all hours"},
		{"*/15 0-23 * * *", "UTC", ""},
		{"30 * * * *", "Europe/Berlin", "does not fire once more at the change"},
		{"*/15 * * * *", "Europe/Berlin", ""},
		{"0 */24 * * *", "UTC", "hour */24 is met once in its range"},
		{"0 10 * * MON-FRI", "Europe/Berlin", ""},
		{"@daily", "Europe/Berlin", ""},
	} {
		err := table(t, mishap.Schedule{Cron: c.cron, Timezone: c.zone}).Warnings()
		var warning *mishap.Warning
		if (c.want == "") != (err == nil) || err != nil && (!errors.As(err, &warning) || warning.Hint == "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s in %s: warning %v, want %q", c.cron, c.zone, err, c.want)
		}
	}
}

// What the library takes, or explains badly.
func TestFieldsThatCannotBeMeantAreRefused(t *testing.T) {
	for cron, want := range map[string]string{
		"*/90 * * * *":                   `minute "*/90" has a step beyond its range of 60`,
		"*/61 * * * *":                   "step beyond",
		"5/56 * * * *":                   "step beyond its range of 55",
		"10-20/30 * * * *":               "step beyond its range of 11",
		"0 */25 * * *":                   `hour "*/25" has a step beyond its range of 24`,
		"0 0 */32 * *":                   "day of month",
		"0 0 1 */13 *":                   "month",
		"0 0 * * */8":                    "day of week",
		"*/99999999999999999999 * * * *": "step beyond",
		"*/0 * * * *":                    "not a cron expression",
		"1,,2 * * * *":                   `"" is neither`,
		"1, * * * *":                     `"" is neither`,
		", * * * *":                      `"" is neither`,
		"*-5 * * * *":                    `"*-5" is neither`,
		"+5 * * * *":                     `"+5" is neither`,
		"-5 * * * *":                     `"-5" is neither`,
		"1-2-3 * * * *":                  `"1-2-3" is neither`,
		"1.5 * * * *":                    `"1.5" is neither`,
		"50-10 * * * *":                  `minute "50-10" is not a cron expression's: the range ends before it begins`,
		"0 22-5 * * *":                   `hour "22-5" is not a cron expression's: the range ends before it begins`,
		"0 0 * * FRI-MON":                "not a cron expression",
		"0 0 * * 7":                      "day of week \"7\" is not a cron expression's: it is out of bounds",
		"0 24 * * *":                     "hour \"24\" is not a cron expression's: it is out of bounds",
		"0 0 0 * *":                      "day of month \"0\"",
		"0 0 L * *":                      `"L" is neither`,
		"0 0 15W * *":                    `"15W" is neither`,
		"0 0 * * MON#1":                  `"MON#1" is neither`,
		"0 0 * * MONDAY":                 `"MONDAY" is neither`,
		"0 0 * * XYZ":                    "not a cron expression",
		"0 0 30 2 *":                     "can never fire",
		"0 0 31 4,6,9,11 *":              "can never fire",
		"0 0 31 2 */2":                   "can never fire",
		"*/90 */90 * * *":                `hour "*/90"`, // all at once
	} {
		_, err := New("x", mishap.Schedule{Cron: cron, Timezone: "UTC"})
		var field *mishap.FieldError
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &field) || field.Path != "cron" || field.Hint == "" {
			t.Errorf("%s: %v, want %q with a hint", cron, err, want)
		}
	}
}

func TestJitterIsRepeatableAndKeepsTheOrder(t *testing.T) {
	s := mishap.Schedule{Cron: "*/10 * * * *", Jitter: mishap.Duration(time.Hour), Seed: 7}
	one, two := table(t, s), table(t, s)
	from := at(t, "2026-01-01T00:00:00Z")
	ticks := one.Between(from, from.AddDate(0, 0, 7), 10_000)
	if len(ticks) != 7*24*6 {
		t.Fatalf("got %d ticks", len(ticks))
	}
	var sum time.Duration
	for i, tick := range ticks {
		again, _ := two.Next(tick.At.Add(-time.Second))
		if again != tick {
			t.Fatalf("drawn twice: %v and %v", tick, again)
		}
		late := tick.Due.Sub(tick.At)
		if late < 0 || late >= 10*time.Minute {
			t.Fatalf("tick %s is due %s later", tick.At, late)
		}
		if i > 0 && !tick.Due.After(ticks[i-1].Due) {
			t.Fatalf("tick %d is due before the one before", i)
		}
		sum += late
	}
	if mean := sum / time.Duration(len(ticks)); mean < 4*time.Minute || mean > 6*time.Minute {
		t.Errorf("the mean jitter is %s, want about 5m", mean)
	}
	s.Seed = 8
	if other, _ := table(t, s).Next(from); other == ticks[0] {
		t.Error("another seed draws the same")
	}
}

func TestAboutDrawsWorkingDaysWithTheRightMean(t *testing.T) {
	got := table(t, mishap.Schedule{About: &mishap.About{Every: 4, Hours: "09:00-15:00"}, Timezone: "America/New_York"})
	from := at(t, "2020-01-01T00:00:00Z")
	to := from.AddDate(20, 0, 0)
	ticks := got.Between(from, to, 1<<20)
	for _, tick := range ticks {
		local := tick.At.In(mustZone(t, "America/New_York"))
		if d := local.Weekday(); d == time.Saturday || d == time.Sunday || local.Hour() < 9 || local.Hour() >= 15 {
			t.Fatalf("drew %s", local)
		}
	}
	days := 20 * 365.25 * 5 / 7
	// Binomial: four standard deviations.
	if want, sd := days/4, math.Sqrt(days*0.25*0.75); math.Abs(float64(len(ticks))-want) > 4*sd {
		t.Errorf("%d runs in 20 years, want about %.0f", len(ticks), want)
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// A slow, obvious oracle: walk through the year minute by minute, and fire when
// the wall shows a minute that matches and was not shown before.
func TestTimesAreThoseOfAMinuteByMinuteWalk(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		for _, text := range []string{"30 1 * * *", "*/20 1,2 * * *", "15 2 * * 0", "0 0 1 * *", "7 * * * *"} {
			w, err := newWall(text, mustZone(t, zone))
			if err != nil {
				t.Fatal(err)
			}
			walk(t, w.(wall), zone+" "+text)
		}
	}
}

func walk(t *testing.T, w wall, name string) {
	t.Helper()
	from := at(t, "2026-01-01T00:00:00Z")
	next, _ := w.next(from.Add(-1))
	shown := time.Time{} // the latest wall time so far
	for now := from; now.Before(from.AddDate(1, 0, 0)); now = now.Add(time.Minute) {
		_, offset := now.In(w.zone).Zone()
		clock := now.Add(time.Duration(offset) * time.Second)
		fires := false
		lo := clock.Add(-time.Minute)
		if !shown.IsZero() && shown.Before(lo) && !(w.everyHour && lo.Sub(shown)%time.Hour == 0) {
			lo = shown // the clock went forward: what it left out fires now
		}
		if w.everyHour && clock.Before(shown) {
			shown = lo // it went back
		}
		if clock.After(shown) {
			m := w.spec.Next(lo)
			fires = !m.IsZero() && !m.After(clock)
			shown = clock
		}
		if fires != now.Equal(next) {
			t.Fatalf("%s: the walk at %s says %v, the timetable says %s", name, now, fires, next)
		}
		if fires {
			next, _ = w.next(now)
		}
	}
}

func FuzzCron(f *testing.F) {
	for _, s := range []string{"* * * * *", "0 10 * * MON-FRI", "@daily", "0 0 29 2 1", "*/7 1-5 1,15 */2 ?", "0 0 31 4 *", "*/90 * * * *", "0 0 */2 * MON", "5/55 */24 * * *", "0 0-23 * * *"} {
		f.Add(s, int64(1_790_000_000))
	}
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		w, err := newWall(text, zone)
		if err != nil {
			return
		}
		_ = w.(wall).warnings()
		after := time.Unix(unix%4e9, 0)
		next, ok := w.next(after)
		if ok && !next.After(after) {
			t.Fatalf("%q after %s gives %s", text, after, next)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	t, err := New("x", mishap.Schedule{Cron: "0 10 * * MON-FRI", Timezone: "Europe/London", Jitter: mishap.Duration(time.Minute)})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Unix(1_790_000_000, 0)
	for b.Loop() {
		t.Next(now)
	}
}
