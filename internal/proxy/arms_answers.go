package proxy

import "time"

// partAnswers is how long the answers of a part of the traffic took in the baseline, for rows that are confined to it: what of
// them is slow is read off it. All others go by the buckets.
type partAnswers struct {
	part    uint16
	rows    []string
	latency [armsBins]uint64
}

// answersOf are the parts of rows that need a threshold.
func answersOf(rows []unitRow) (list []*partAnswers) {
	of := map[uint16]*partAnswers{}
	for _, r := range rows {
		if r.Of != OfSlow || r.part == 0 {
			continue
		}
		if of[r.part] == nil {
			of[r.part] = &partAnswers{part: r.part}
			list = append(list, of[r.part])
		}
		of[r.part].rows = append(of[r.part].rows, r.Name)
	}
	return list
}

// time counts how long a request took that is over, until thresholds are told.
func (b *armsBook) time(r *armRequest) {
	u := b.units
	if u.thresholds != nil || !r.has(succeeded) {
		return
	}
	for _, a := range u.answers {
		if r.parts&a.part != 0 {
			a.latency[b.binOf(time.Duration(r.took)*time.Microsecond)]++
		}
	}
}

// RowAnswers is how long the answers took that a row is confined to, of both arms and until its threshold is told.
type RowAnswers struct {
	Row     string   `json:"row"`
	Latency []uint64 `json:"latency"` // by the bounds of the report
}

func (u *armsUnits) rowAnswers() (list []RowAnswers) {
	if u.thresholds != nil {
		return nil
	}
	for _, a := range u.answers {
		for _, row := range a.rows {
			list = append(list, RowAnswers{Row: row, Latency: append([]uint64(nil), a.latency[:]...)})
		}
	}
	return list
}
