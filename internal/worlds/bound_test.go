package worlds

import (
	"math"
	"testing"
)

// The bounds beside which times are measured are those of the table in the design (in seconds, two digits).
func TestBound(t *testing.T) {
	for _, c := range []struct{ c, e, m, rate, want float64 }{
		{0.005, 0.05, 0.005, 50, 5.2}, {0.005, 0.05, 0, 50, 4.2}, {0.005, 0.05, 0.005, 1, 259},
		{0.005, 0.2, 0.005, 5, 7.4}, {0.005, 0.01, 0, 50, 108}, {0.011, 0.019, 0, 400, 10.5},
		{0.005, 0.005, 0.005, 50, 81}, {0.005, 0.005, 0.02, 5, 83},
	} {
		if got := Bound(c.c, c.e, c.m, c.rate, 0.01); math.Abs(got/c.want-1) > 0.02 {
			t.Errorf("%+v: %.3g", c, got)
		}
	}
}

func TestAtMost(t *testing.T) {
	for _, c := range []struct {
		n    int
		p    float64
		want int
	}{{1000, 0.01, 21}, {2000, 0.01, 35}, {20, 0.01, 2}, {1, 0.01, 1}} {
		if got := atMost(c.n, c.p); got < c.want-1 || got > c.want+1 {
			t.Errorf("%d runs at %g: at most %d, not %d", c.n, c.p, got, c.want)
		}
	}
}
