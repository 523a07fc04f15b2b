package fault

import "time"

// Loss loses a part of the datagrams of a proxy whose protocol is udp.
type Loss struct {
	Rate float64 `json:"rate"` // of the datagrams, above 0 and up to 1
}

// Kind is loss.
func (Loss) Kind() string { return "loss" }

func (l Loss) check(errs *Problems) {
	errs.Add(!(l.Rate > 0 && l.Rate <= 1), "rate %v must be above 0 and at most 1: the part of the datagrams to lose", l.Rate)
}

// Datagram loses some.
func (l Loss) Datagram(d Draws, number uint64) (time.Duration, bool) {
	return 0, d.unit(number) < l.Rate
}
