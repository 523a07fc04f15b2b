package metrics

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"mishap/internal/analysis"
)

func TestCountsAreExactOrRefused(t *testing.T) {
	const most = 1<<53 - 1
	for _, c := range []struct {
		got  func() (int64, error)
		want int64 // -1: refused
	}{
		{func() (int64, error) { return counted(int64(most)) }, most},
		{func() (int64, error) { return counted(int64(most + 1)) }, -1},
		{func() (int64, error) { return counted(int64(-1)) }, -1},
		{func() (int64, error) { return counted(uint64(most)) }, most},
		{func() (int64, error) { return counted(uint64(math.MaxUint64)) }, -1},
		{func() (int64, error) { return counted(float64(most)) }, most},
		{func() (int64, error) { return counted(float64(most + 1)) }, -1}, // it may have been one more
		{func() (int64, error) { return counted(math.Copysign(0, -1)) }, 0},
		{func() (int64, error) { return counted(1.5) }, -1},
		{func() (int64, error) { return counted(math.NaN()) }, -1},
		{func() (int64, error) { return counted(math.Inf(1)) }, -1},
	} {
		n, err := c.got()
		if refused := errors.Is(err, analysis.ErrBucket); refused != (c.want == -1) || err == nil && n != c.want {
			t.Errorf("got %d, %v; want %d", n, err, c.want)
		}
	}
}

func TestSumsBeyondExactCountsAreRefused(t *testing.T) {
	sum := analysis.Arm{}
	if err := sumArm(&sum, analysis.Arm{Requests: 1<<53 - 1}); err != nil {
		t.Fatal(err)
	}
	if err := sumArm(&sum, analysis.Arm{Requests: 1}); !errors.Is(err, analysis.ErrBucket) {
		t.Errorf("a sum of 2^53: %v", err)
	}
}

func TestLevelsAreExactOrRefused(t *testing.T) {
	for text, ok := range map[string]bool{"9007199254740993": false, "9007199254740992": true, "-9007199254740993": false, "1700000000000000000": true,
		"0.1": true, "-0": true, "1e400": false, "1e99999": false, "1e300": true} {
		if v, err := exactLevel(json.Number(text)); (err == nil) != ok {
			t.Errorf("%s: %v, %v", text, v, err)
		}
	}
}
