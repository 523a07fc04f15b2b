package main

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// loops are what people write without a library.
func loops() map[string]client {
	pause := 50 * time.Millisecond
	none := func() time.Duration { return 0 }
	same := func() time.Duration { return pause }
	drawn := func() time.Duration { return pause/2 + rand.N(pause) }
	return map[string]client{
		"loop-immediate":       counted(none),
		"loop-constant":        counted(same),
		"loop-constant-jitter": counted(drawn),
		"loop-never":           endless(same),
		"loop-never-jitter":    endless(drawn),
	}
}

func counted(pause func() time.Duration) client {
	return func(c *http.Client, url string, attempts int, _ time.Time) {
		r := newRequest()
		for range attempts {
			if r.attempt(c, url) == nil {
				return
			}
			time.Sleep(pause())
		}
	}
}

// endless goes on until the process ends.
func endless(pause func() time.Duration) client {
	return func(c *http.Client, url string, _ int, end time.Time) {
		r := newRequest()
		for ; time.Now().Before(end); time.Sleep(pause()) {
			if r.attempt(c, url) == nil {
				return
			}
		}
	}
}
