package safeguards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"

	"mishap"
	"mishap/internal/outside"
)

const (
	mostCalendar = 4 << 20          // bytes
	freshFor     = 10 * time.Minute // of a feed
	staleFor     = 24 * time.Hour   // of a feed that cannot be read any more
	mostEvents   = 20_000           // occurrences of one rule that are looked at
)

// readEvents reads the events that overlap a span from an iCalendar text
// (RFC 5545), or from lines of days.
func readEvents(text []byte, zone *time.Location, from, until time.Time) (all []event, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("BEGIN:VCALENDAR")) {
		return readLines(string(text), zone, from, until)
	}
	parsed, err := ics.ParseCalendar(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read calendar: %w", err)
	}
	moved := map[string]bool{} // occurrences that have an event of their own
	for _, v := range parsed.Events() {
		if p := v.GetProperty(ics.ComponentPropertyRecurrenceId); p != nil {
			if at, _, err := instant(p, zone); err == nil {
				moved[v.Id()+at.UTC().String()] = true
			}
		}
	}
	for _, v := range parsed.Events() {
		found, err := occurrences(v, zone, from, until, moved)
		if err != nil {
			return nil, fmt.Errorf("read event %s: %w", v.Id(), err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func readLines(text string, zone *time.Location, from, until time.Time) (all []event, err error) {
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		e, err := readDays(line, zone)
		if err != nil {
			return nil, fmt.Errorf("read calendar, line %d: %w", i+1, err)
		}
		if e.overlaps(from, until) {
			all = append(all, e)
		}
	}
	return all, nil
}

// occurrences lists when an event is on during a span.
func occurrences(v *ics.VEvent, zone *time.Location, from, until time.Time, moved map[string]bool) ([]event, error) {
	if p := v.GetProperty(ics.ComponentPropertyStatus); p != nil && p.Value == "CANCELLED" {
		return nil, nil
	}
	first, day, err := instant(v.GetProperty(ics.ComponentPropertyDtStart), zone)
	if err != nil {
		return nil, err
	}
	lasts, err := length(v, zone, first, day)
	if err != nil {
		return nil, err
	}
	name := "an event"
	if p := v.GetProperty(ics.ComponentPropertySummary); p != nil {
		name = strings.TrimSpace(p.Value)
	}
	own := v.GetProperty(ics.ComponentPropertyRecurrenceId) != nil
	starts, err := starts(v, zone, first, from.Add(-lasts(from)-48*time.Hour), until)
	var all []event
	for _, at := range starts {
		if !own && moved[v.Id()+at.UTC().String()] {
			continue
		}
		if e := (event{at, at.Add(lasts(at)), name}); e.overlaps(from, until) {
			all = append(all, e)
		}
	}
	return all, err
}

// starts lists when the occurrences of an event begin, between two times.
func starts(v *ics.VEvent, zone *time.Location, first, from, until time.Time) ([]time.Time, error) {
	set := &rrule.Set{}
	set.DTStart(first)
	p := v.GetProperty(ics.ComponentPropertyRrule)
	if p == nil {
		set.RDate(first)
	} else {
		option, err := rrule.StrToROptionInLocation(p.Value, first.Location())
		if err != nil {
			return nil, err
		}
		option.Dtstart = first
		rule, err := rrule.NewRRule(*option)
		if err != nil {
			return nil, err
		}
		set.RRule(rule)
	}
	for what, add := range map[ics.ComponentProperty]func(time.Time){ics.ComponentPropertyExdate: set.ExDate, ics.ComponentPropertyRdate: set.RDate} {
		for _, p := range v.GetProperties(what) {
			for _, text := range strings.Split(p.Value, ",") {
				one := *p
				one.Value = text
				at, _, err := instant(&one, zone)
				if err != nil {
					return nil, err
				}
				add(at)
			}
		}
	}
	return between(set, from, until)
}

// between walks through the occurrences, and no further than it must.
func between(set *rrule.Set, from, until time.Time) (all []time.Time, err error) {
	next := set.Iterator()
	for range mostEvents {
		at, ok := next()
		if !ok || at.After(until) {
			return all, nil
		}
		if !at.Before(from) {
			all = append(all, at)
		}
	}
	return nil, fmt.Errorf("its rule has more than %d occurrences until %s; give it a later DTSTART", mostEvents, until.Format(time.DateOnly))
}

// instant reads a time, and whether it is a whole day.
func instant(p *ics.IANAProperty, zone *time.Location) (time.Time, bool, error) {
	if p == nil {
		return time.Time{}, false, fmt.Errorf("it does not say when it begins")
	}
	if names := p.ICalParameters["TZID"]; len(names) > 0 {
		named, err := time.LoadLocation(names[0])
		if err != nil {
			return time.Time{}, false, fmt.Errorf("its time zone %q is not an IANA name", names[0])
		}
		zone = named
	}
	switch text := p.Value; {
	case strings.HasSuffix(text, "Z"):
		t, err := time.Parse("20060102T150405Z", text)
		return t, false, err
	case !strings.Contains(text, "T"):
		t, err := time.ParseInLocation("20060102", text, zone)
		return t, true, err
	default:
		t, err := time.ParseInLocation("20060102T150405", text, zone)
		return t, false, err
	}
}

// length says how long an occurrence lasts that begins at a time: whole days are
// days of the calendar, however many hours they have.
func length(v *ics.VEvent, zone *time.Location, first time.Time, day bool) (func(time.Time) time.Duration, error) {
	fixed := func(d time.Duration) func(time.Time) time.Duration { return func(time.Time) time.Duration { return d } }
	days := func(n int) func(time.Time) time.Duration {
		return func(at time.Time) time.Duration { return at.In(first.Location()).AddDate(0, 0, n).Sub(at) }
	}
	if p := v.GetProperty(ics.ComponentPropertyDtEnd); p != nil {
		end, _, err := instant(p, zone)
		if day && err == nil {
			return days(int((end.Sub(first) + 12*time.Hour) / (24 * time.Hour))), nil
		}
		return fixed(max(0, end.Sub(first))), err
	}
	if p := v.GetProperty(ics.ComponentPropertyDuration); p != nil {
		d, err := readDuration(p.Value)
		return fixed(d), err
	}
	if day {
		return days(1), nil
	}
	return fixed(0), nil
}

// readDuration reads a DURATION such as P1W, P2D or PT1H30M.
func readDuration(text string) (time.Duration, error) {
	m := regexp.MustCompile(`^\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?$`).FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("its duration %q is not one", text)
	}
	var sum time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi("0" + m[i+1])
		sum += time.Duration(n) * unit
	}
	return sum, nil
}

// readFile reads the calendar's file, if it has one.
func (c *calendar) readFile(ctx context.Context) ([]byte, error) {
	if c.File == "" {
		return nil, nil
	}
	f, err := c.files.Read(ctx, c.File, mostCalendar)
	if err != nil {
		return nil, fmt.Errorf("read calendar: %w", err)
	}
	return f.Text, nil
}

func limited(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostCalendar+1))
	if err == nil && len(text) > mostCalendar {
		err = fmt.Errorf("read calendar: it has more than %d bytes", mostCalendar)
	}
	return text, err
}

// feed is a calendar behind an address, and what it said last.
type feed struct {
	url    mishap.Secret
	secret func(mishap.Secret) (string, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)

	mu   sync.Mutex
	text []byte
	said time.Time // when it said so
	next time.Time // when it is asked again
}

// read answers what the feed says, or said less than a day ago.
func (f *feed) read(ctx context.Context) ([]byte, error) {
	if f.url == (mishap.Secret{}) {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Before(f.next) {
		return f.text, nil
	}
	text, err := f.fetch(ctx)
	switch {
	case err == nil:
		f.text, f.said, f.next = text, now, now.Add(freshFor)
	case f.text != nil && now.Sub(f.said) < staleFor:
		f.next = now.Add(time.Minute)
	default:
		return nil, fmt.Errorf("read calendar: %w", err)
	}
	return f.text, nil
}

func (f *feed) address() (string, error) {
	switch {
	case !f.url.IsReference():
		return f.url.Value, nil
	case f.secret == nil:
		return "", missing("what the url is")
	}
	return f.secret(f.url)
}

// fetch asks for the feed. A redirect elsewhere is an answer that is none. Whoever
// knows the address of a private calendar may read it, so errors name its host alone.
func (f *feed) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	address, err := f.address()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || !isWeb(address) {
		return nil, errors.New("the url is not an http address") // and may be a secret
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: f.dial, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(next *http.Request, before []*http.Request) error {
		if len(before) > 3 || !outside.SameHost(next.URL, before[0].URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := client.Do(req)
	if call := new(url.Error); errors.As(err, &call) {
		err = call.Err // without the address
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	}
	return limited(resp.Body)
}
