package report_test

import (
	"testing"
	"time"

	"mishap"
	"mishap/internal/report"
)

func TestWhatAProbeSawIsNotSaidTwice(t *testing.T) {
	for want, o := range map[string]mishap.Observation{
		"gaps constant (50ms), no jitter, expected exponential": {Value: "gaps constant (50ms), no jitter", Detail: "gaps constant (50ms), expected exponential"},
		"200 in 3ms, status 200, expected 503":                  {Value: "200 in 3ms", Detail: "status 200, expected 503"},
		"200 in 3ms":                                            {Value: "200 in 3ms"},
		"no answer":                                             {Detail: "no answer"},
	} {
		if got := report.Seen(", ", o); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRecoveryIsSaidAsExactlyAsItIsKnown(t *testing.T) {
	of := func(took, resolution time.Duration, in bool) string {
		return report.Recovered(mishap.Recovered{In: in, Took: mishap.Duration(took), Resolution: mishap.Duration(resolution), Attempts: 3})
	}
	answered := func(took, resolution, answered time.Duration) string {
		return report.Recovered(mishap.Recovered{In: true, Took: mishap.Duration(took), Resolution: mishap.Duration(resolution), Answered: mishap.Duration(answered)})
	}
	for want, got := range map[string]string{
		"recovered within 50ms":                       answered(949*time.Microsecond, 949*time.Microsecond, 50*time.Millisecond),
		"recovered within 51ms":                       answered(949*time.Microsecond, 949*time.Microsecond, 50*time.Millisecond+1),
		"recovered after 250ms to 560ms":              answered(510*time.Millisecond, 260*time.Millisecond-1, 560*time.Millisecond),
		"recovered after 59.9s to 1m2s":               answered(time.Minute, 10*time.Millisecond, 61*time.Second+1),
		"not known whether it recovered: x":           report.Recovered(mishap.Recovered{Blind: "x"}),
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
