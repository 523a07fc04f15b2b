package mishap_test

import (
	"testing"

	"mishap"
)

func TestOneThingIsNotSeveral(t *testing.T) {
	for _, c := range []struct{ noun, none, one, several string }{
		{"attempt", "0 attempts", "1 attempt", "2 attempts"},
		{"try", "0 tries", "1 try", "2 tries"},
		{"day", "0 days", "1 day", "2 days"},
		{"address", "0 addresses", "1 address", "2 addresses"},
		{"failed call", "0 failed calls", "1 failed call", "2 failed calls"},
	} {
		if none, one, several := mishap.Plural(0, c.noun), mishap.Plural(int64(1), c.noun), mishap.Plural(uint64(2), c.noun); none != c.none || one != c.one || several != c.several {
			t.Errorf("%q, %q, %q, want %q, %q, %q", none, one, several, c.none, c.one, c.several)
		}
	}
}
