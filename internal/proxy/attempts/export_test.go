package attempts

import "time"

// KeptAttempts is how many attempts a watch keeps.
const KeptAttempts = keptAttempts

// Overflow adds so many attempts to a watch that nobody reads, and says what is left of them.
func Overflow(n int) (seq, lost uint64, left int) {
	r := &record{since: time.Now()}
	for range n {
		r.add(kept{}, r.since)
	}
	w := r.after(0)
	return w.Seq, w.Lost, len(w.Attempts)
}
