package probes_test

import (
	"errors"
	"math"
	"testing"

	"mishap"
	"mishap/probes"
)

func TestComparisonHolds(t *testing.T) {
	for _, c := range []struct {
		text     string
		in, out  float64
		unit     probes.Unit
		readBack string
	}{
		{"<= 2s", 2, 2.001, probes.Time, "<= 2s"},
		{"<500ms", 0.499, 0.5, probes.Time, "< 500ms"},
		{">= 10", 10, 9.99, probes.Plain, ">= 10"},
		{">-1.5", -1, -1.5, probes.Plain, "> -1.5"},
		{"< 5%", 0.049, 0.05, probes.Percent, "< 5%"},
		{"= 3", 3, 3.1, probes.Plain, "= 3"},
		{" != 1e3 ", 999, 1000, probes.Plain, "!= 1e3"},
	} {
		got, err := probes.ParseComparison(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if !got.Holds(c.in) || got.Holds(c.out) {
			t.Errorf("%q holds for %v: %v, for %v: %v", c.text, c.in, got.Holds(c.in), c.out, got.Holds(c.out))
		}
		if got.Unit != c.unit || got.String() != c.readBack {
			t.Errorf("%q was read as %q in %s", c.text, got, got.Unit)
		}
	}
}

func TestComparisonRefusesWhatIsNotClear(t *testing.T) {
	for _, text := range []string{"", " ", "2s", "3", "<", "<= ", "=< 3", "== 3", "<> 3", "!3", "< x", "< NaN", "< Inf", "<= 5 %%", "< 0x10", "< 1_0", "between 1 and 5", "< 2 s", "< 1e10001"} {
		_, err := probes.ParseComparison(text)
		var hinted *mishap.Hinted
		if err == nil || !errors.As(err, &hinted) || hinted.Hint == "" {
			t.Errorf("%q: error %v, want one with a hint", text, err)
		}
	}
}

func FuzzComparison(f *testing.F) {
	for _, s := range []string{"<= 2s", ">= 10", "< 5%", "= 3", "!= 0", "=< 3", "< NaN", "<-1h2m", "> 1e308%", "< 9999999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := probes.ParseComparison(s)
		if err != nil {
			return
		}
		if c.Holds(math.NaN()) {
			t.Fatalf("%q has NaN within it", s)
		}
		if again, err := probes.ParseComparison(c.String()); err != nil || again.String() != c.String() || again.Limit.Cmp(c.Limit) != 0 {
			t.Fatalf("%q was written as %q and read as %+v, %v", s, c, again, err)
		}
	})
}
