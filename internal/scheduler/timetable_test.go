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
		{"every hour over the hour that is skipped", "30 * * * *", "Europe/London", "2026-03-29T00:00:00Z", []string{"2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"}},
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
		if !shown.IsZero() && shown.Before(lo) {
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
	for _, s := range []string{"* * * * *", "0 10 * * MON-FRI", "@daily", "0 0 29 2 1", "*/7 1-5 1,15 */2 ?", "0 0 31 4 *"} {
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
