package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mishap/internal/proxy/fault"
)

// State says where a fault is in its life.
type State string

// The states of a fault. Ended means removed by a caller; expired, that nobody renewed it in time.
const (
	InForce State = "in force"
	Ended   State = "ended"
	Expired State = "expired"
)

// Status is a fault and what it did.
type Status struct {
	Fault   fault.Fault `json:"fault"`
	State   State       `json:"state"`
	Started time.Time   `json:"started,omitzero"`
	Until   time.Time   `json:"until,omitzero"` // the end of its lease, or when it ended
	Stats   Stats       `json:"stats"`
	Spoils  string      `json:"spoils,omitempty"` // the run whose proxy it is, and which will show nothing for it
}

// Stats says what a fault did. No traffic, no counts.
type Stats struct {
	Connections uint64   `json:"connections"`        // connections that it held up, changed or ended; of udp, clients
	Requests    uint64   `json:"requests,omitempty"` // of http: requests that it hit, and that are over
	Spared      uint64   `json:"spared,omitempty"`   // of http: requests that went on unharmed beyond maxActive
	Chunks      uint64   `json:"chunks"`             // pieces of streams that left when they were due, and datagrams
	Bytes       uint64   `json:"bytes"`              // bytes of those
	Ends        uint64   `json:"ends"`               // ends of streams that left when they were due
	Dropped     uint64   `json:"dropped"`            // bytes that were lost, of datagrams and of streams
	Lost        uint64   `json:"lost"`               // datagrams that were lost
	Ended       uint64   `json:"ended"`              // connections that it ended: refused, reset, or cut
	Flushed     uint64   `json:"flushed"`            // chunks or requests let go before they were due, because the fault ended; may still grow just after
	Overflow    uint64   `json:"overflow"`           // times that reading stopped because the delay line was full
	Requested   Delays   `json:"requested"`          // what was to wait, over all faults that held it
	Delivered   Delays   `json:"delivered"`          // what it waited, from read to the start of the send
	InForceOn   Coverage `json:"inForceOn"`

	Arms       *ByArm      `json:"arms,omitempty"`       // of a fault confined to an arm, once it has seen one
	Allocation *Allocation `json:"allocation,omitempty"` // of arms: how requests, counted above, were assigned
	Counting   *Counting   `json:"counting,omitempty"`   // of arms that count units: what they were told so far
}

// Felt is how many times the fault did something: delayed, lost, or ended.
func (s Stats) Felt() uint64 {
	if s.Requests > 0 {
		return s.Requests
	}
	if n := s.Delivered.Count + s.Lost + s.Ended; n > 0 {
		return n
	}
	return s.Dropped + s.Chunks
}

// plural is what a noun ends on.
func plural(n uint64) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// Did says for a person what a fault did besides delaying, and what went wrong with it; empty if nothing.
func (s Stats) Did() string {
	var did []string
	say := func(n uint64, format string) { // in which # is what makes a plural
		if n > 0 {
			did = append(did, fmt.Sprintf(strings.Replace(format, "#", plural(n), 1), n))
		}
	}
	if a := s.Allocation; a != nil {
		say(a.Experiment.Requests, "%d request# of the experiment")
		say(a.Control.Requests, "%d of control")
		say(a.WithoutKey, "%d without the key")
		return strings.Join(did, ", ")
	}
	say(s.Requests, "%d request# hit")
	if a := s.Arms; a != nil {
		say(a.Control.Passed, "%d of control let pass")
		say(a.Control.Treated, "%d of control hit, which must not be")
	}
	say(s.Spared, "%d request# spared, beyond maxActive")
	say(s.Ended, "%d connection# ended")
	say(s.Lost, "%d datagram# lost")
	say(s.Dropped, "%d byte# lost")
	say(s.Flushed, "%d let go before they were due")
	say(s.Overflow, "%d time# no room to hold more, so that the delay grew")
	return strings.Join(did, ", ")
}

// Coverage says on how many of the open connections that a fault is meant for it is in force.
type Coverage struct {
	Connections int `json:"connections"`
	Of          int `json:"of"`
	Left        int `json:"left,omitempty"` // of them in the process before a restart
}

// Complete says whether the fault is in force wherever it is meant to be.
func (c Coverage) Complete() bool { return c.Connections == c.Of }

// Delays sums up a set of delays. The percentiles are right to about 3 %.
type Delays struct {
	Count                    uint64
	Min, Mean, Max, P50, P99 time.Duration
}

// wireDelays is Delays as JSON: durations are strings.
type wireDelays struct {
	Count uint64         `json:"count"`
	Min   fault.Duration `json:"min"`
	Mean  fault.Duration `json:"mean"`
	Max   fault.Duration `json:"max"`
	P50   fault.Duration `json:"p50"`
	P99   fault.Duration `json:"p99"`
}

// String sums the delays up for a person: "none" if there were none.
func (d Delays) String() string {
	if d.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("mean %v, p50 %v, p99 %v, max %v, %d time%s", digits(d.Mean), digits(d.P50), digits(d.P99), digits(d.Max), d.Count, plural(d.Count))
}

// digits leaves three of a duration.
func digits(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// MarshalJSON writes durations as strings; without delays there is only the count.
func (d Delays) MarshalJSON() ([]byte, error) {
	if d.Count == 0 {
		return []byte(`{"count":0}`), nil
	}
	return json.Marshal(wireDelays{d.Count, fault.Duration(d.Min), fault.Duration(d.Mean), fault.Duration(d.Max), fault.Duration(d.P50),
		fault.Duration(d.P99)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Delays) UnmarshalJSON(data []byte) error {
	var w wireDelays
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*d = Delays{w.Count, time.Duration(w.Min), time.Duration(w.Mean), time.Duration(w.Max), time.Duration(w.P50),
		time.Duration(w.P99)}
	return nil
}

// Plus adds up what a fault did in two servers. Percentiles are those of the one where it held up more.
func (s Stats) Plus(o Stats) Stats {
	s.Connections += o.Connections
	s.Requests += o.Requests
	s.Spared += o.Spared
	s.Chunks += o.Chunks
	s.Bytes += o.Bytes
	s.Ends += o.Ends
	s.Dropped += o.Dropped
	s.Lost += o.Lost
	s.Ended += o.Ended
	s.Flushed += o.Flushed
	s.Overflow += o.Overflow
	s.Requested, s.Delivered = s.Requested.plus(o.Requested), s.Delivered.plus(o.Delivered)
	s.InForceOn.Connections += o.InForceOn.Connections
	s.InForceOn.Of += o.InForceOn.Of
	s.InForceOn.Left += o.InForceOn.Of
	return s
}

func (d Delays) plus(o Delays) Delays {
	if d.Count < o.Count {
		d, o = o, d
	}
	if o.Count == 0 {
		return d
	}
	n := d.Count + o.Count
	d.Mean = time.Duration((float64(d.Mean)*float64(d.Count) + float64(o.Mean)*float64(o.Count)) / float64(n))
	d.Count, d.Min, d.Max = n, min(d.Min, o.Min), max(d.Max, o.Max)
	return d
}
