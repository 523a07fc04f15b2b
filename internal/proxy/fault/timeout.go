package fault

import "time"

// Timeout is a black hole: bytes go in and do not come out. With data "hold" (the default) they wait, and go on when
// the fault ends, as after a network partition. With "drop" they are lost, and a connection that has lost bytes is
// reset when the fault ends: a stream with a hole in it never goes on. Datagrams are lost either way.
type Timeout struct {
	After Duration `json:"after,omitempty"` // the connection is ended so long after the fault has reached it; 0: it is not
	How   Ending   `json:"how,omitempty"`   // reset (default) or close
	Data  string   `json:"data,omitempty"`
}

// Kind is timeout.
func (Timeout) Kind() string { return "timeout" }

func (t Timeout) check(errs *Problems) {
	errs.checkSpan("after", t.After, 0)
	errs.Add(!t.How.valid(), "how %q must be reset or close", t.How)
	errs.Add(t.Data != "" && t.Data != "hold" && t.Data != "drop", "data %q must be hold or drop", t.Data)
}

// EndsAfter is never, unless the fault says otherwise.
func (t Timeout) EndsAfter() (time.Duration, bool) { return time.Duration(t.After), t.After > 0 }

// EndsBy is a RST, unless the fault says otherwise.
func (t Timeout) EndsBy() Ending { return t.How.or(ByReset) }

// Stage holds or drops all bytes.
func (t Timeout) Stage(Draws) Stage { return blackHole{drop: t.Drops()} }

// Drops says whether bytes are lost.
func (t Timeout) Drops() bool { return t.Data == "drop" }

// Datagram loses all.
func (t Timeout) Datagram(Draws, uint64) (time.Duration, bool) { return 0, true }

type blackHole struct {
	whole
	drop bool
}

// Shape implements Stage.
func (s blackHole) Shape(p *Piece) bool {
	p.Drop = s.drop && !p.End
	if !p.Drop {
		p.At = never // an end is not lost: it comes when the fault is over, or the connection is reset then
	}
	return true
}
