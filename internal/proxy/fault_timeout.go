package proxy

import "time"

// Timeout is a black hole: bytes go in and do not come out. With data "hold" (the default) they wait, and go on when
// the fault ends, as after a network partition. With "drop" they are lost, and a connection that has lost bytes is
// reset when the fault ends: a stream with a hole in it never goes on. Datagrams are lost either way.
type Timeout struct {
	After Duration `json:"after,omitempty"` // the connection is ended so long after the fault has reached it; 0: it is not
	How   ending   `json:"how,omitempty"`   // reset (default) or close
	Data  string   `json:"data,omitempty"`
}

// Kind is timeout.
func (Timeout) Kind() string { return "timeout" }

func (t Timeout) check(errs *problems) {
	errs.checkSpan("after", t.After, 0)
	errs.add(!t.How.valid(), "how %q must be reset or close", t.How)
	errs.add(t.Data != "" && t.Data != "hold" && t.Data != "drop", "data %q must be hold or drop", t.Data)
}

func (t Timeout) endsAfter() (time.Duration, bool) { return time.Duration(t.After), t.After > 0 }

func (t Timeout) endsBy() ending { return t.How.or(byReset) }

func (t Timeout) stage(draws) stage { return blackHole{drop: t.drops()} }

func (t Timeout) drops() bool { return t.Data == "drop" }

func (t Timeout) datagram(draws, uint64) (time.Duration, bool) { return 0, true }

type blackHole struct {
	whole
	drop bool
}

func (s blackHole) shape(p *piece) bool {
	p.drop = s.drop && !p.end
	if !p.drop {
		p.at = never // an end is not lost: it comes when the fault is over, or the connection is reset then
	}
	return true
}
