package mishap

import (
	"fmt"
	"strings"
)

// Success is what of an answer is a success. A request without an answer is
// none, whatever this says.
type Success struct {
	// Status are the codes of HTTP that are a success, such as "2xx" or "200-399, 404"; empty: all
	// but 5xx.
	Status StatusSet `json:"status,omitzero"`
	Not    *Failing  `json:"not,omitempty"` // an answer that fits one of these has failed, whatever its status
}

// Failing is what tells a failure that comes with the status of a success. What
// is set counts, each by itself.
type Failing struct {
	BodyContains string            `json:"bodyContains,omitempty" jsonschema:"a text in the first 64 KiB of the answer, as it is sent or unpacked"`
	JSON         map[string]string `json:"json,omitempty" jsonschema:"members of a JSON answer and their value, such as {status: error}; dots go deeper, and * is any value but null"`
	Header       map[string]string `json:"header,omitempty" jsonschema:"headers of the answer and their value, such as {X-Fallback: \"1\"}; * is any value"`
	GRPCStatus   []int             `json:"grpcStatus,omitempty" jsonschema:"codes of gRPC that are failures besides UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS, such as [8]"`
}

// LooksAtBodies reports whether the content of answers says what is a success.
func (s *Success) LooksAtBodies() bool {
	return s != nil && s.Not != nil && (s.Not.BodyContains != "" || len(s.Not.JSON) > 0)
}

// StatusSet is a set of status codes: ranges with both ends.
type StatusSet []StatusRange

// StatusRange is the codes from Low to High.
type StatusRange struct{ Low, High int }

// Has reports whether the code is in the set.
func (s StatusSet) Has(code int) bool {
	for _, r := range s {
		if code >= r.Low && code <= r.High {
			return true
		}
	}
	return false
}

// IsZero reports whether the set says nothing.
func (s StatusSet) IsZero() bool { return len(s) == 0 }

// String writes the set as files do: "200-299, 404".
func (s StatusSet) String() string {
	var all []string
	for _, r := range s {
		switch {
		case r.Low == r.High:
			all = append(all, fmt.Sprint(r.Low))
		case r.Low%100 == 0 && r.High == r.Low+99:
			all = append(all, fmt.Sprintf("%dxx", r.Low/100))
		default:
			all = append(all, fmt.Sprintf("%d-%d", r.Low, r.High))
		}
	}
	return strings.Join(all, ", ")
}

// Form is what errors show of how it is written.
func (StatusSet) Form() (name, example string) { return "codes", "2xx" }

// MarshalText writes the set as [StatusSet.String] does.
func (s StatusSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads codes, classes like 2xx and ranges like 200-399, with
// commas between them.
func (s *StatusSet) UnmarshalText(text []byte) error {
	*s = nil
	for part := range strings.SplitSeq(string(text), ",") {
		r, ok := statusRange(strings.TrimSpace(part))
		if !ok {
			return fmt.Errorf("status %q is none; write codes, classes or ranges, such as 2xx, 200-399 or 200, 404", string(text))
		}
		*s = append(*s, r)
	}
	return nil
}

// statusRange reads one part of a set.
func statusRange(text string) (StatusRange, bool) {
	if class, ok := strings.CutSuffix(text, "xx"); ok && len(class) == 1 && class[0] >= '1' && class[0] <= '5' {
		low := 100 * int(class[0]-'0')
		return StatusRange{low, low + 99}, true
	}
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	low, okLow := statusCode(strings.TrimSpace(from))
	high, okHigh := statusCode(strings.TrimSpace(to))
	return StatusRange{low, high}, okLow && okHigh && low <= high
}

func statusCode(text string) (int, bool) {
	if len(text) != 3 || text[0] < '1' || text[0] > '5' || text[1] < '0' || text[1] > '9' || text[2] < '0' || text[2] > '9' {
		return 0, false
	}
	return 100*int(text[0]-'0') + 10*int(text[1]-'0') + int(text[2]-'0'), true
}
