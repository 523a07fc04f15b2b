package report

import (
	"strings"
	"testing"
	"time"

	"mishap"
)

func TestWhatAProbeSawIsNotSaidTwice(t *testing.T) {
	for want, o := range map[string]mishap.Observation{
		"gaps constant (50ms), no jitter, expected exponential": {Value: "gaps constant (50ms), no jitter", Detail: "gaps constant (50ms), expected exponential"},
		"200 in 3ms, status 200, expected 503":                  {Value: "200 in 3ms", Detail: "status 200, expected 503"},
		"200 in 3ms":                                            {Value: "200 in 3ms"},
		"no answer":                                             {Detail: "no answer"},
	} {
		if got := seen(", ", o); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLatenciesOfWhatFailedAreNoTimes(t *testing.T) {
	bounds := []float64{0.01, 0.1}
	for want, counts := range map[string][]int64{
		"half of the requests succeeded within 10ms, and 99 of 100 within 100ms":       {80, 20, 0},
		"half of the requests succeeded within 100ms, and fewer than 99 of 100 at all": {20, 60, 20},
		"not even half of the requests succeeded":                                      {20, 20, 60},
		"no request succeeded": {0, 0, 9},
	} {
		if got := (histogram{bounds, counts}).spoken("x"); strings.TrimLeft(strings.TrimPrefix(got, "x"), ", ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRecoveryIsSaidAsExactlyAsItIsKnown(t *testing.T) {
	of := func(took, resolution time.Duration, in bool) string {
		return recovered(mishap.Recovered{In: in, Took: mishap.Duration(took), Resolution: mishap.Duration(resolution), Attempts: 3})
	}
	answered := func(took, resolution, answered time.Duration) string {
		return recovered(mishap.Recovered{In: true, Took: mishap.Duration(took), Resolution: mishap.Duration(resolution), Answered: mishap.Duration(answered)})
	}
	for want, got := range map[string]string{
		"recovered within 50ms":                       answered(949*time.Microsecond, 949*time.Microsecond, 50*time.Millisecond),
		"recovered within 51ms":                       answered(949*time.Microsecond, 949*time.Microsecond, 50*time.Millisecond+1),
		"recovered after 250ms to 560ms":              answered(510*time.Millisecond, 260*time.Millisecond-1, 560*time.Millisecond),
		"recovered after 59.9s to 1m2s":               answered(time.Minute, 10*time.Millisecond, 61*time.Second+1),
		"not known whether it recovered: x":           recovered(mishap.Recovered{Blind: "x"}),
		"recovered within 1ms":                        of(949*time.Microsecond, 949*time.Microsecond, true),
		"recovered within 2ms":                        of(2*time.Millisecond, 2*time.Millisecond, true),
		"recovered after 3s to 3.4s":                  of(3400*time.Millisecond, 400*time.Millisecond, true),
		"not recovered 30s after the revert, 3 looks": of(30*time.Second, time.Second, false),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
