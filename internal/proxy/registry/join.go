package registry

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

// maxJoin bounds the requests that are kept to be joined: 2.5 MiB.
const maxJoin = 1 << 17

// armsJoin keeps the requests of closed buckets until their run has told which of them met the fault, and longer, until
// patience after their bucket, for what a service does after its answer. Ids are places in the book, so that to join is to
// look there. What comes later, or is told of others, is counted; buckets that nobody told of in time are given up, and
// that is said for good.
type armsJoin struct {
	ids     *forward.IDs
	first   int64          // the number of the oldest bucket that is kept
	kept    [][]armRequest // from first on, all of those that are closed
	size    int            // requests in them
	through int64          // buckets below this number are joined
	told    Joined         // but for Through, and in numbers of buckets
	counts  [2]MetOf       // in the baseline, and since
}

// Joined is what is known of which requests met the fault.
type Joined struct {
	Over    uint64 `json:"over"`    // the requests of buckets up to this one are over: ask then who met, and tell
	Through uint64 `json:"through"` // buckets up to this one are joined, and counted
	Before  MetOf  `json:"before"`  // those of the baseline
	Since   MetOf  `json:"since"`
	Told    uint64 `json:"told"`              // ids so far; a request may be told several times
	Late    uint64 `json:"late,omitempty"`    // of those, the ones of requests that met the fault later than patience
	Foreign uint64 `json:"foreign,omitempty"` // of those, the ones that are none of these arms'
	Failed  string `json:"failed,omitempty"`  // why it is not known of all requests whether they met it; it stays so
}

// MetOf is how many requests met the fault, or would have, of how many.
type MetOf struct {
	Met PerArm `json:"met"`
	Of  PerArm `json:"of"`
}

func (p *PerArm) add(arm int) {
	if arm == 0 {
		p.Control++
	} else {
		p.Experiment++
	}
}

// Meeting tells arms which of their requests met the fault.
type Meeting struct {
	Run string   `json:"run"`
	Met []string `json:"met"` // ids, at most MaxMeeting of them, as those who know gave them
	// Through says that of the requests in buckets up to this one all are told. It is a bucket that was over before those who
	// know were asked.
	Through uint64 `json:"through"`
}

// keep takes in a bucket that was closed.
func (j *armsJoin) keep(requests []armRequest) {
	j.kept = append(j.kept, requests)
	j.size += len(requests)
}

// skip drops all that is kept, for buckets in which nothing came are passed over.
func (j *armsJoin) skip(to int64) {
	for i, requests := range j.kept {
		if j.first+int64(i) >= j.through && len(requests) > 0 {
			j.fail("the run did not tell in time which requests met the fault: nothing was heard of it for %s", time.Duration(armsKept)*fault.ArmsWidth)
		}
	}
	j.first, j.through, j.kept, j.size = to, to, nil, 0
}

// fail says why it is not known which requests met the fault. The first reason stays.
func (j *armsJoin) fail(format string, args ...any) {
	if j.told.Failed == "" {
		j.told.Failed = fmt.Sprintf(format, args...)
	}
}

// meet takes in who met the fault.
func (b *armsBook) meet(m Meeting, now time.Time) (Joined, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.join
	if j == nil {
		return Joined{}, fault.Refused(http.StatusUnprocessableEntity, "give counts with exposed when they are injected", "these arms count all requests, whatever they met")
	}
	b.advance(max(now.Sub(b.start), 0))
	for _, id := range m.Met {
		b.met(id)
	}
	for to := int64(min(m.Through, uint64(b.closed))); j.through < to; {
		b.joinNext()
	}
	b.trim(max(now.Sub(b.start), 0))
	return b.joined(), nil
}

// met notes that a request met the fault.
func (b *armsBook) met(id string) {
	j := b.join
	j.told.Told++
	id, early := strings.CutPrefix(id, fault.Early)
	mark, ok := j.ids.Mark(id)
	number, i := int64(mark>>markShift), int(mark&(1<<markShift-1))
	var requests []armRequest
	switch {
	case !ok || number >= b.closed+int64(len(b.open)):
		j.told.Foreign++
		return
	case number < j.first:
		j.told.Late++
		return
	case number < b.closed:
		requests = j.kept[number-j.first]
	case b.open[number-b.closed] != nil:
		requests = b.open[number-b.closed].requests
	}
	if i >= len(requests) {
		j.told.Foreign++
		return
	}
	r := &requests[i]
	counted := b.counts(r, number)
	r.set(met, true)
	r.set(inForce, r.has(inForce) || !early)
	if number < j.through && !counted && b.counts(r, number) {
		b.countMet(r, number)
	}
}

// counts says whether a request counts as one that met the fault: since the injection, only if that was in force by then.
func (b *armsBook) counts(r *armRequest, number int64) bool {
	return r.has(met) && (r.has(inForce) || b.units.phaseOf(r, b.came(r, number)) == inBaseline)
}

// joinNext counts the oldest bucket that is not joined.
func (b *armsBook) joinNext() {
	j := b.join
	number := j.through
	requests := j.kept[number-j.first]
	for i := range requests {
		r := &requests[i]
		if when := b.units.phaseOf(r, b.came(r, number)); when != inNeither {
			j.counts[when].Of.add(r.arm())
		}
		if b.counts(r, number) {
			b.countMet(r, number)
		}
	}
	j.through++
	b.units.book.Close(b.start.Add(time.Duration(j.through) * fault.ArmsWidth))
}

// countMet counts a request that met the fault, and is over.
func (b *armsBook) countMet(r *armRequest, number int64) {
	j, came := b.join, b.came(r, number)
	when := b.units.phaseOf(r, came)
	if when == inNeither {
		return
	}
	j.counts[when].Met.add(r.arm())
	b.time(r, true)
	b.units.countMet(r, came, when)
}

// came is when a request of a bucket came.
func (b *armsBook) came(r *armRequest, number int64) time.Time {
	return b.start.Add(time.Duration(number)*fault.ArmsWidth + time.Duration(r.came)*time.Microsecond)
}

// trim gives up buckets that need not be kept any more, or cannot.
func (b *armsBook) trim(now time.Duration) {
	j := b.join
	for len(j.kept) > 0 {
		if j.first >= j.through || now < time.Duration(j.first+1)*fault.ArmsWidth+b.patience {
			if j.size <= maxJoin && len(j.kept) <= armsKept {
				return
			}
			if j.first >= j.through {
				j.fail("the run did not tell in time which requests met the fault: %d were kept", j.size)
				b.joinNext()
			}
		}
		j.size -= len(j.kept[0])
		b.reuse(j.kept[0])
		j.first, j.kept = j.first+1, j.kept[1:]
	}
}

// joined is what is known.
func (b *armsBook) joined() Joined {
	j := b.join
	told := j.told
	told.Over, told.Through, told.Before, told.Since = uint64(b.closed), uint64(j.through), j.counts[inBaseline], j.counts[sinceInjection]
	return told
}
