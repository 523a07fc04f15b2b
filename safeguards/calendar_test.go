package safeguards

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
)

const feedText = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:christmas
SUMMARY:Christmas\, every year
DTSTART;VALUE=DATE:20201225
DTEND;VALUE=DATE:20201227
RRULE:FREQ=YEARLY
END:VEVENT
BEGIN:VEVENT
UID:standup
SUMMARY:Release
DTSTART;TZID=Europe/London:20260302T100000
DURATION:PT2H
RRULE:FREQ=WEEKLY;BYDAY=MO
EXDATE;TZID=Europe/London:20260309T100000
END:VEVENT
BEGIN:VEVENT
UID:standup
SUMMARY:Release, moved
RECURRENCE-ID;TZID=Europe/London:20260330T100000
DTSTART;TZID=Europe/London:20260331T150000
DTEND;TZID=Europe/London:20260331T160000
END:VEVENT
BEGIN:VEVENT
UID:gone
SUMMARY:Cancelled
STATUS:CANCELLED
DTSTART:20260401T000000Z
DTEND:20260402T000000Z
END:VEVENT
END:VCALENDAR
`

func newCalendar(t *testing.T, with string) mishap.Safeguard {
	t.Helper()
	s, err := calendarKind(Deps{}).New(json.RawMessage(with))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lasting is a run of half an hour.
func lasting(now string) mishap.Situation {
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		panic(err)
	}
	e := mishap.Experiment{Faults: []mishap.Fault{{For: mishap.Duration(28 * time.Minute)}}, Recovery: mishap.Recovery{Within: mishap.Duration(2 * time.Minute)}}
	return mishap.Situation{Plan: mishap.Plan{Experiment: e}, Now: at}
}

func TestACalendarKeepsRunsOutOfItsEvents(t *testing.T) {
	dir := t.TempDir()
	ics, lines := filepath.Join(dir, "a.ics"), filepath.Join(dir, "days.txt")
	for path, text := range map[string]string{ics: strings.ReplaceAll(feedText, "\n", "\r\n"), lines: "# holidays\n2026-05-01\n2026-08-10..2026-08-12 # summer\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	london := `{"timezone": "Europe/London", "dates": ["2026-12-24", "2027-01-02..2027-01-03"], "file": "` + ics + `"}`
	for _, c := range []struct {
		with, now, want string
	}{
		{london, "2026-12-23T20:00:00Z", ""},
		{london, "2026-12-23T23:31:00Z", "2026-12-24 is on"}, // it could not end before midnight
		{london, "2026-12-24T12:00:00Z", "2026-12-24 is on"},
		{london, "2031-12-26T12:00:00Z", "Christmas, every year is on from 2031-12-25 00:00 to 2031-12-27 00:00"},
		{london, "2027-12-27T00:00:00Z", ""},
		{london, "2026-03-02T11:00:00Z", "Release is on"},
		{london, "2026-03-02T12:00:00Z", ""},
		{london, "2026-03-09T11:00:00Z", ""},                                                        // left out
		{london, "2026-03-30T09:30:00Z", ""},                                                        // moved away, and the clock has changed
		{london, "2026-03-31T14:30:00Z", "Release, moved is on"},                                    // moved here
		{london, "2026-04-06T09:30:00Z", "Release is on from 2026-04-06 10:00 to 2026-04-06 12:00"}, // 10:00 in London is 09:00 UTC now
		{london, "2026-04-01T12:00:00Z", ""},                                                        // cancelled
		{`{"timezone": "UTC", "file": "` + lines + `"}`, "2026-08-12T23:00:00Z", "2026-08-10..2026-08-12 is on"},
		{`{"timezone": "UTC", "file": "` + lines + `"}`, "2026-08-13T00:00:00Z", ""},
		{`{"timezone": "Europe/London", "during": "allow", "file": "` + ics + `"}`, "2026-03-02T11:00:00Z", ""},
		{`{"timezone": "Europe/London", "during": "allow", "file": "` + ics + `"}`, "2026-03-02T11:45:00Z", "no event of the calendar lasts"},
		{`{"timezone": "UTC", "file": "/no/such/file"}`, "2026-03-02T11:45:00Z", "read calendar: open /no/such/file"},
	} {
		err := newCalendar(t, c.with).Check(t.Context(), lasting(c.now))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %.60s: got %v, want %q", c.now, c.with, err, c.want)
		}
	}
}

func TestBadCalendarsSayAllThatIsWrong(t *testing.T) {
	_, err := calendarKind(Deps{}).New(json.RawMessage(`{"dates": ["24 Dec", "2026-12-24..2026-12-01"], "url": "file:///etc/passwd", "timezone": "Mars", "during": "deny", "color": 1}`))
	for _, want := range []string{"with.dates[0]", "with.dates[1]: 2026-12-24..2026-12-01 ends before", "with.url", "with.timezone", "with.during", `unknown key "color"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	if _, err := calendarKind(Deps{}).New(json.RawMessage(`{"timezone": "UTC"}`)); err == nil {
		t.Error("a calendar without dates is taken")
	}
}

// A feed that fails is good for a day, and then nobody can tell.
func TestAFeedThatFailsIsGoodForADay(t *testing.T) {
	answer := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer)
		_, _ = w.Write([]byte(feedText))
	}))
	defer server.Close()
	f := feed{url: mishap.Secret{Value: server.URL}}
	read := func(back time.Duration) error {
		f.said, f.next = f.said.Add(-back), f.next.Add(-back)
		_, err := f.read(t.Context())
		return err
	}
	if err := read(0); err != nil {
		t.Fatal(err)
	}
	answer = http.StatusBadGateway
	if err := read(time.Hour); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	if err := read(24 * time.Hour); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("a day later: %v", err)
	}
}

// Errors stand in journals and logs, and are shown to viewers.
func TestTheAddressOfAPrivateCalendarIsInNoError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	private := strings.Replace(server.URL, "http://", "http://ann:hunter2@", 1) + "/private-hunter2/x.ics?token=hunter2"
	fails := func(want string) {
		t.Helper()
		f := feed{url: mishap.Secret{Value: private}}
		_, err := f.read(t.Context())
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), server.Listener.Addr().String()) || !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v, want the host and %q", err, want)
		}
	}
	fails("404")
	server.Close()
	fails("refused")
}

func TestTheAddressOfACalendarMayBeASecret(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("token") != "hunter2" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte(feedText))
	}))
	defer server.Close()
	address, failed := server.URL+"/?token=hunter2", error(nil)
	made, err := calendarKind(Deps{Dial: new(net.Dialer).DialContext, Secret: func(s mishap.Secret) (string, error) {
		if s.Env != "CALENDAR" {
			t.Errorf("%+v is looked up", s)
		}
		return address, failed
	}}).New(json.RawMessage(`{"timezone": "UTC", "url": {"env": "CALENDAR"}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*calendar)
	if _, err := c.feed.fetch(t.Context()); err != nil {
		t.Errorf("with the secret: %v", err)
	}
	address = "hunter2"
	if _, err := c.feed.fetch(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "not an http address") {
		t.Errorf("of a secret that is no address it says %v", err)
	}
	failed = errors.New("CALENDAR is not set")
	if _, err := c.feed.fetch(t.Context()); !errors.Is(err, failed) {
		t.Errorf("of a secret that is not there it says %v", err)
	}
}

// An endless rule of every second must not hang a dispatcher.
func TestAnEndlessRuleIsRefusedInTime(t *testing.T) {
	text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:x\r\nDTSTART:19700101T000000Z\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	synctest.Test(t, func(t *testing.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if _, err := readEvents([]byte(text), time.UTC, now, now.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzCalendar(f *testing.F) {
	f.Add(feedText)
	f.Add("2026-01-01\n")
	now := time.Date(2026, 3, 30, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = readEvents([]byte(text), time.UTC, now, now.Add(time.Hour))
	})
}
