package callers

import "time"

// overlap is how much earlier than the answer the next attempt may seem to begin, because the two are timed by different
// goroutines.
const overlap = 2 * time.Millisecond

// request is the attempts of one request, in order.
type request struct {
	attempts []Attempt
	parallel bool // an attempt began before the one before was answered: hedging, or calls that share a trace
	settled  bool // no more attempts are to come
}

// requests puts attempts with an id together. Of a trace, a call after one that succeeded is another request.
func requests(attempts []Attempt) []*request {
	var all []*request
	open := make(map[string]*request)
	for _, a := range attempts {
		if a.ID == "" {
			continue
		}
		r := open[a.ID]
		if r == nil || a.Loose && r.last().Outcome == OK {
			r = &request{}
			open[a.ID] = r
			all = append(all, r)
		}
		if len(r.attempts) > 0 && a.Start < r.last().answered()-overlap {
			r.parallel = true
		}
		r.attempts = append(r.attempts, a)
	}
	return all
}

func (r *request) last() Attempt { return r.attempts[len(r.attempts)-1] }

// gap is the pause before attempt k, from 1.
func (r *request) gap(k int) time.Duration {
	before, next := r.attempts[k-1], r.attempts[k]
	return max(next.Start-before.end(), 0)
}

// settle marks the requests of which nothing more is to come: they succeeded, or their callers have been silent for much
// longer than they ever were before another attempt.
func settle(all []*request, until time.Duration) {
	widest := 100 * time.Millisecond
	for _, r := range all {
		for k := 1; k < len(r.attempts); k++ {
			widest = max(widest, r.gap(k))
		}
	}
	for _, r := range all {
		r.settled = r.last().Outcome == OK || until-r.last().end() > 2*widest
	}
}

// Requests says how many attempts requests take.
type Requests struct {
	N        int     `json:"n"`        // whose attempts are all known; the others count nowhere but in Max
	Open     int     `json:"open"`     // that may not be over
	Retried  int     `json:"retried"`  // with two attempts or more, all of them known or not
	Judged   int     `json:"judged"`   // of those, with four or more, one after the other: what pauses are judged by
	Parallel int     `json:"parallel"` // with attempts side by side
	Mean     float64 `json:"mean"`     // attempts per request: the amplification
	Max      int     `json:"max"`
	Attempts []int   `json:"attempts,omitempty"` // requests with 1, 2, … attempts; the last counts all above
	Ends     Ends    `json:"ends"`
}

// Ends says how callers end a request that fails for good.
type Ends struct {
	Failed int  `json:"failed"`          // requests that ended without success
	After  int  `json:"after,omitempty"` // attempts after which nearly all of them ended; 0: it differs, or they are few
	Never  bool `json:"never,omitempty"` // none ended, and some have gone on for ten attempts or more
}

const (
	judgedAttempts = 4  // of a request, so that its pauses show a shape
	judgedRequests = 40 // so that chance does not show one
	manyAttempts   = 10
	leastEnds      = 10 // of requests, to tell after how many attempts
	countedUpTo    = 16
)

func count(all []*request) Requests {
	var q Requests
	sum := 0
	byEnd := make(map[int]int)
	longOpen := false
	for _, r := range all {
		n := len(r.attempts)
		q.Max = max(q.Max, n)
		if r.parallel {
			q.Parallel++
		} else if n >= judgedAttempts {
			q.Judged++
		}
		if n > 1 {
			q.Retried++
		}
		if !r.settled {
			q.Open++
			longOpen = longOpen || n >= manyAttempts
			continue
		}
		q.N++
		sum += n
		if q.Attempts == nil {
			q.Attempts = make([]int, countedUpTo)
		}
		q.Attempts[min(n, countedUpTo)-1]++
		if r.last().Outcome != OK {
			q.Ends.Failed++
			byEnd[n]++
		}
	}
	if q.N > 0 {
		q.Mean = float64(sum) / float64(q.N)
	}
	for n, times := range byEnd {
		if q.Ends.Failed >= leastEnds && times*10 >= q.Ends.Failed*9 {
			q.Ends.After = n
		}
	}
	q.Ends.Never = q.Ends.Failed == 0 && longOpen
	return q
}
