package mishap

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Moment is a date and a time of day as people are told them: in UTC, to the second.
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// Duration is a span of time, written "300ms" or "15m" in files and JSON.
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns d without trailing zero units: "15m", not "15m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Form is what errors show of how it is written.
func (Duration) Form() (name, example string) { return "a duration", "300ms" }

// MarshalText writes d as [Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads. Negative durations are
// refused: no length of time in an experiment can be negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration; write it like 300ms, 90s or 15m", text)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative; a duration counts forward", text)
	}
	*d = Duration(v)
	return nil
}

// Share is a part of a whole between 0 and 1, written "5%" in files and JSON.
type Share float64

// String returns s as a percentage: "5%".
func (s Share) String() string {
	// Rounded, because most shares are not exact in binary: 7%, not 7.000000000000001%.
	const digits = 1e9
	return strconv.FormatFloat(math.Round(float64(s)*100*digits)/digits, 'f', -1, 64) + "%"
}

// Form is what errors show of how it is written.
func (Share) Form() (name, example string) { return "a share", "5%" }

// MarshalText writes s as [Share.String] does.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a percentage from 0 to 100.
func (s *Share) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	if !ok {
		return fmt.Errorf("%q is not a share; write it in percent, like 5%%", text)
	}
	n, err := ParseNumber(strings.TrimSpace(number))
	if err != nil {
		return fmt.Errorf("%q is not a share; write it in percent, like 5%%", text)
	}
	v := n.Float()
	if v < 0 || v > 100 {
		return fmt.Errorf("%q is outside of 0%% to 100%%", text)
	}
	*s = Share(v / 100)
	return nil
}

// Allowance is how many of the last Window observations may be other than met,
// written "2 of 20". The zero value allows none.
type Allowance struct {
	Count  int // observations tolerated
	Window int // observations looked at; 0 means no tolerance at all
}

// String returns "2 of 20", or "none".
func (a Allowance) String() string {
	if a.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d", a.Count, a.Window)
}

// spoken is what to add to a sentence about what went beyond a.
func (a Allowance) spoken() string {
	if a.Count == 0 {
		return ""
	}
	return fmt.Sprintf(" (allowed: %s)", a)
}

// Form is what errors show of how it is written.
func (Allowance) Form() (name, example string) { return "an allowance", "2 of 20" }

// MarshalText writes a as [Allowance.String] does.
func (a Allowance) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads "2 of 20" or "none". The count must be smaller than the
// window, or the probe could never deviate.
func (a *Allowance) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*a = Allowance{}
		return nil
	}
	count, window, ok := strings.Cut(string(text), " of ")
	c, errC := strconv.Atoi(strings.TrimSpace(count))
	w, errW := strconv.Atoi(strings.TrimSpace(window))
	switch {
	case !ok || errC != nil || errW != nil:
		return fmt.Errorf("%q is not an allowance; write it like \"2 of 20\"", text)
	case c < 1 || w <= c || w > 10000:
		return fmt.Errorf("%q allows everything or nothing; the first number must be at least 1 and smaller than the second, which is at most 10000", text)
	}
	*a = Allowance{Count: c, Window: w}
	return nil
}

// Date is a day, such as 2027-01-31.
type Date string

// Form is what errors show of how it is written.
func (Date) Form() (name, example string) { return "a day", "2027-01-31" }

// UnmarshalText reads a day.
func (d *Date) UnmarshalText(text []byte) error {
	if _, err := time.Parse(time.DateOnly, string(text)); err != nil {
		return fmt.Errorf("%q is not a day; write it like 2027-01-31", text)
	}
	*d = Date(text)
	return nil
}

// start is the day's first instant in UTC.
func (d Date) start() time.Time {
	t, _ := time.Parse(time.DateOnly, string(d))
	return t
}

// Plural is a count of things, for people: 1 run, 2 runs, 3 tries, 4 addresses. Whatever counts things that may be
// one asks it.
func Plural[N int | int32 | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, several(noun))
}

// several is the plural of a noun.
func several(noun string) string {
	stem, y := strings.CutSuffix(noun, "y")
	switch {
	case y && stem != "" && !strings.ContainsRune("aeiou", rune(stem[len(stem)-1])):
		return stem + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	}
	return noun + "s"
}

// Thousands is a count with commas between its thousands, for people.
func Thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Formed is a type of values that are texts in a form of their own, such as a duration.
type Formed interface {
	// Form names what a value is, "a duration", and shows one, "300ms".
	Form() (name, example string)
}

// formOf is the form of the values of a type, or of what it points to.
func formOf(t reflect.Type) (name, example string, formed bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if f, ok := reflect.Zero(t).Interface().(Formed); ok {
		name, example = f.Form()
		return name, example, true
	}
	return "", "", false
}
