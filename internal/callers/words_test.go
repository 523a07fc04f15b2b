package callers_test

import (
	"regexp"
	"testing"
	"time"

	"mishap"
	"mishap/internal/callers"
)

// severalOfOne is "1 requests": a counted word that does not agree with one.
var severalOfOne = regexp.MustCompile(`(?:^|[^.0-9])1 (?:failed )?[a-z]{3,}s\b`)

func TestWhatHappenedOnceIsSaidOfOne(t *testing.T) {
	once := mishap.Duration(time.Second)
	gaps := callers.Backoff{Kind: callers.Constant, First: once}
	for want, got := range map[string]string{
		"1 request, none of them over":                          callers.Behaviour{Attempts: 1, WithID: 1, Requests: callers.Requests{Open: 1}}.Summary(),
		"1 request, none tried again":                           callers.Behaviour{Attempts: 1, WithID: 1, Requests: callers.Requests{N: 1, Max: 1}}.Summary(),
		"1 attempt per request, gaps constant (1s), jitter ±0%": callers.Behaviour{Attempts: 41, WithID: 41, Backoff: gaps, Requests: callers.Requests{N: 40, Max: 2, Mean: 1.04}}.Summary(),
		"1.1 attempts per request, gaps constant (1s), jitter ±0%": callers.Behaviour{
			Attempts: 44, WithID: 44, Backoff: gaps, Requests: callers.Requests{N: 40, Max: 2, Mean: 1.1}}.Summary(),
		"1 caller left without an answer, at no common moment":           callers.Timeout{GaveUp: 1}.Words(),
		"callers give up waiting after 1s (1 time)":                      callers.Timeout{Waits: []callers.Wait{{Median: once, N: 1}}}.Words(),
		"callers stopped 1s after the first failure (1 failed call)":     callers.Circuit{Kind: callers.CircuitOpens, After: once, Failures: 1}.Words(),
		"callers give up after 1 attempt":                                callers.Ends{After: 1}.Words(),
		"1 request given up, too few to tell after how many attempts":    callers.Ends{Failed: 1}.Words(),
		"10 requests given up, after different numbers of attempts":      callers.Ends{Failed: 10}.Words(),
		"a mixture of policies: 1 of 1 request with no gaps (immediate)": callers.Backoff{Kind: callers.Mixture, Parts: []callers.Part{{Requests: 1, Words: "no gaps (immediate)"}}}.Words(),
	} {
		if got != want || severalOfOne.MatchString(got) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
