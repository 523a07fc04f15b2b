package main

import (
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// cenkalti are policies of github.com/cenkalti/backoff/v4.
func cenkalti() map[string]client {
	exponential := func(factor, jitter float64) func() backoff.BackOff {
		return func() backoff.BackOff {
			return backoff.NewExponentialBackOff(backoff.WithInitialInterval(40*time.Millisecond), backoff.WithMultiplier(factor),
				backoff.WithRandomizationFactor(jitter), backoff.WithMaxElapsedTime(0))
		}
	}
	return map[string]client{
		"backoff-constant":           retried(func() backoff.BackOff { return backoff.NewConstantBackOff(50 * time.Millisecond) }),
		"backoff-exponential":        retried(exponential(2, 0)),
		"backoff-exponential-jitter": retried(exponential(backoff.DefaultMultiplier, backoff.DefaultRandomizationFactor)),
	}
}

func retried(policy func() backoff.BackOff) client {
	return func(c *http.Client, url string, attempts int, _ time.Time) {
		r := newRequest()
		_ = backoff.Retry(func() error { return r.attempt(c, url) }, backoff.WithMaxRetries(policy(), uint64(attempts-1)))
	}
}
