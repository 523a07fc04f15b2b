package probes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mishap"
)

// statuses is a set of status codes of HTTP.
type statuses struct {
	ranges []statusRange
	text   string // as a person reads it
}

type statusRange struct{ from, to int }

func (s statuses) has(code int) bool {
	for _, r := range s.ranges {
		if r.from <= code && code <= r.to {
			return true
		}
	}
	return false
}

// expectStatus reads a code, a class such as "2xx", a range such as "200-299",
// or a list of those.
func expectStatus(path string, value any) (statuses, error) {
	list, isList := value.([]any)
	if !isList {
		r, err := statusOf(path, value)
		return statuses{ranges: []statusRange{r}, text: fmt.Sprint(value)}, err
	}
	if len(list) == 0 {
		return statuses{}, &mishap.FieldError{Path: path, Msg: "an empty list is met by no answer", Hint: statusHint}
	}
	var s statuses
	var problems []error
	var texts []string
	for i, item := range list {
		r, err := statusOf(fmt.Sprintf("%s[%d]", path, i), item)
		problems = append(problems, err)
		s.ranges = append(s.ranges, r)
		texts = append(texts, fmt.Sprint(item))
	}
	s.text = strings.Join(texts, " or ")
	return s, errors.Join(problems...)
}

const statusHint = "write a code like 200, a class like 2xx, a range like 200-299, or a list of those"

func statusOf(path string, value any) (statusRange, error) {
	wrong := func() (statusRange, error) {
		return statusRange{}, &mishap.FieldError{Path: path, Msg: written(value) + " is not a status of HTTP", Hint: statusHint}
	}
	switch v := value.(type) {
	case json.Number:
		code, err := strconv.Atoi(string(v))
		if err != nil || !validCode(code) {
			return wrong()
		}
		return statusRange{code, code}, nil
	case string:
		r, ok := parseStatus(v)
		if !ok {
			return wrong()
		}
		return r, nil
	default:
		return wrong()
	}
}

func parseStatus(text string) (statusRange, bool) {
	if len(text) == 3 && strings.EqualFold(text[1:], "xx") && text[0] >= '1' && text[0] <= '5' {
		first := int(text[0]-'0') * 100
		return statusRange{first, first + 99}, true
	}
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	from, errFrom := strconv.Atoi(strings.TrimSpace(low))
	to, errTo := strconv.Atoi(strings.TrimSpace(high))
	ok := errFrom == nil && errTo == nil && validCode(from) && validCode(to) && from <= to
	return statusRange{from, to}, ok
}

func validCode(code int) bool { return code >= 100 && code <= 599 }
