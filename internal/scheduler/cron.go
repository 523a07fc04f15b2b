package scheduler

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"mishap"
)

// expression is a cron expression that was read.
type expression struct {
	spec      *cron.SpecSchedule
	fields    []string // as written; none of a descriptor
	everyHour bool     // its hours are all hours, however they are written
}

// field is what one of the five fields may hold.
type field struct {
	name        string
	first, last int
	hint        string
}

// fiveFields are those of an expression, in order.
func fiveFields() []field {
	return []field{
		{"minute", 0, 59, "minutes are 0-59"},
		{"hour", 0, 23, "hours are 0-23"},
		{"day of month", 1, 31, "days of the month are 1-31"},
		{"month", 1, 12, "months are 1-12 or JAN-DEC"},
		{"day of week", 0, 6, "days of the week are 0-6 or SUN-SAT; Sunday is 0, not 7"},
	}
}

const (
	fieldsHint = `minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day of week 0-6 or SUN-SAT; or @hourly, @daily, @weekly, @monthly, @yearly`
	starBit    = 1 << 63   // by which the library knows a field without a restriction
	allHours   = 1<<24 - 1 // as a set of bits
)

// readCron reads five fields or a descriptor. What the library takes without a
// word although it cannot be meant is refused here.
func readCron(text string) (expression, error) {
	wrong := func(msg, hint string) (expression, error) {
		return expression{}, &mishap.FieldError{Path: "cron", Msg: msg, Hint: hint}
	}
	fields := strings.Fields(text)
	switch {
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return wrong("a time zone does not belong here", "write timezone: Europe/London beside cron")
	case strings.HasPrefix(text, "@every"):
		return wrong("@every counts from the start of a server, so that its times cannot be known", `write "*/15 * * * *" for every 15 minutes`)
	case strings.HasPrefix(text, "@reboot"):
		return wrong("@reboot is not a time", `write "@daily", or five fields`)
	case strings.HasPrefix(text, "@"):
		fields = nil
	case len(fields) != 5:
		return wrong(fmt.Sprintf("%q has %s, not five", text, mishap.Plural(len(fields), "field")), `minute hour day-of-month month day-of-week, such as "0 10 * * MON-FRI"`)
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(text)
	if err := checkFields(fields, err != nil); err != nil {
		return expression{}, err
	}
	if err != nil {
		return wrong(fmt.Sprintf("%q is not a cron expression: %v", text, err), fieldsHint)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return wrong(fmt.Sprintf("%q has no fixed times", text), `write five fields, such as "0 10 * * MON-FRI"`)
	}
	spec.Location = time.UTC
	e := expression{spec: spec, fields: fields, everyHour: spec.Hour&allHours == allHours}
	if fields != nil {
		// As in Vixie's cron: a field that begins with * restricts nothing by itself,
		// so that both fields of days must fit; of two others, either.
		spec.Dom, spec.Dow = starred(spec.Dom, fields[2]), starred(spec.Dow, fields[4])
	}
	return e, nil
}

func beginsWithStar(field string) bool { return field[0] == '*' || field[0] == '?' }

func starred(bits uint64, field string) uint64 {
	if beginsWithStar(field) {
		return bits | starBit
	}
	return bits
}

// part is one of the parts of a field that commas separate: * or a value or a
// range, each perhaps with a step.
var part = regexp.MustCompile(`^(?:[*?]|([0-9]+|[A-Za-z]{3})(?:-([0-9]+|[A-Za-z]{3}))?)(?:/([0-9]+))?$`)

// checkFields refuses parts that mean nothing, and steps beyond their range: in
// */90 of minutes, only 0 is ever met. What else is wrong the library says, in
// general terms, if it refused.
func checkFields(fields []string, refused bool) error {
	var problems []error
	for i, text := range fields {
		kind := fiveFields()[i]
		for one := range strings.SplitSeq(text, ",") {
			parts := part.FindStringSubmatch(one)
			if parts == nil {
				problems = append(problems, &mishap.FieldError{Path: "cron", Msg: fmt.Sprintf("%s %q is not a cron expression's: %q is neither a value, a range nor a step", kind.name, text, one), Hint: kind.hint})
				continue
			}
			if refused {
				if err := kind.check(text, parts); err != nil {
					problems = append(problems, err)
				}
			}
			if parts[3] == "" {
				continue
			}
			size := kind.size(parts)
			if step, err := strconv.Atoi(parts[3]); err != nil || step > size {
				problems = append(problems, &mishap.FieldError{Path: "cron",
					Msg:  fmt.Sprintf("%s %q has a step beyond its range of %d, so that it would be met once and not every %s", kind.name, one, size, parts[3]),
					Hint: fmt.Sprintf("%s; a longer rhythm cannot be written in this field", kind.hint)})
			}
		}
	}
	return errors.Join(problems...)
}

// check says which value is out of the field's bounds.
func (f field) check(text string, parts []string) error {
	first, errFirst := strconv.Atoi(parts[1])
	last, errLast := strconv.Atoi(parts[2])
	if errFirst == nil && (first < f.first || first > f.last) || errLast == nil && last > f.last {
		return &mishap.FieldError{Path: "cron", Msg: fmt.Sprintf("%s %q is not a cron expression's: it is out of bounds", f.name, text), Hint: f.hint}
	}
	if errFirst == nil && errLast == nil && first > last {
		return &mishap.FieldError{Path: "cron", Msg: fmt.Sprintf("%s %q is not a cron expression's: the range ends before it begins", f.name, text), Hint: "write two ranges with a comma, such as 22-23,0-5"}
	}
	return nil
}

// size is how many values a step goes over: of *, of from-to, or from a value on.
func (f field) size(parts []string) int {
	first, errFirst := strconv.Atoi(parts[1])
	if parts[1] == "" || errFirst != nil { // a star, or a name: the library knows those
		first = f.first
	}
	last, err := strconv.Atoi(parts[2])
	if err != nil {
		last = f.last
	}
	return max(last-first+1, 1)
}

// warnings are about what has meant something else, here or elsewhere.
func (w wall) warnings() error {
	var all []error
	warn := func(msg, hint string) {
		all = append(all, &mishap.Warning{FieldError: mishap.FieldError{Path: "cron", Msg: msg, Hint: hint}})
	}
	if w.fields == nil {
		return nil
	}
	day, week := w.fields[2], w.fields[4]
	switch plain := func(f string) bool { return f == "*" || f == "?" }; {
	case plain(day) || plain(week):
	case beginsWithStar(day) || beginsWithStar(week):
		warn(fmt.Sprintf("fires only on days that fit both %s and %s, as in Vixie's cron, because one of them begins with *", day, week),
			"write * for one of them if it is not meant; before, it fired on days that fit either")
	default:
		warn(fmt.Sprintf("fires on days that fit %s, and also on those that fit %s", day, week), "write * for one of them, or begin it with */1 if both must fit")
	}
	if shift := changes(w.zone); shift && w.everyHour && w.fields[1] != "*" {
		warn(fmt.Sprintf("the hours %s are all hours: when clocks go back, it goes on through the hour that comes twice", w.fields[1]), "that is what * means; name fewer hours if it is not meant")
	} else if shift && w.everyHour && w.spec.Minute&1 == 0 {
		warn("every hour means every hour: when clocks go forward it does not fire once more at the change", "nothing is left out by that")
	}
	for i, f := range w.fields {
		for one := range strings.SplitSeq(f, ",") {
			parts := part.FindStringSubmatch(one)
			if step, err := strconv.Atoi(parts[3]); err == nil && step > 1 && step == fiveFields()[i].size(parts) {
				warn(fmt.Sprintf("%s %s is met once in its range, at its first value", fiveFields()[i].name, one), "write that value")
			}
		}
	}
	return errors.Join(all...)
}

// changes reports whether a zone's clocks have changed lately or will.
func changes(zone *time.Location) bool {
	_, end := time.Date(2020, 1, 1, 0, 0, 0, 0, zone).ZoneBounds()
	return !end.IsZero()
}
