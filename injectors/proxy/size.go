package proxy

import (
	"fmt"
	"strconv"
	"strings"

	"mishap"
)

// Size is a number of bytes, written "64KB" in files: B, KB, MB and GB count in thousands, KiB, MiB and GiB in 1024s.
type Size int64

// ParseSize reads a size.
func ParseSize(text string) (Size, error) {
	number := strings.TrimRight(text, "BKMGikmgb")
	unit, ok := map[string]int64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[text[len(number):]]
	n, err := mishap.ParseNumber(strings.TrimSpace(number))
	v := n.Float()
	if !ok || err != nil || !(v >= 0 && v*float64(unit) < 1<<50) {
		return 0, fmt.Errorf("%q is not a size; write it like 512B, 64KB or 1.5MB", text)
	}
	return Size(v * float64(unit)), nil
}

// UnmarshalText reads what [ParseSize] reads.
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}

// Form is what errors show of how it is written.
func (Size) Form() (name, example string) { return "a size", "64KB" }

// MarshalText writes the size in its largest unit that it is a whole number of.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the size in its largest unit that it is a whole number of.
func (s Size) String() string {
	for _, u := range []struct {
		name string
		size Size
	}{{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}} {
		if s > 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
