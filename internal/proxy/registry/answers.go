package registry

import (
	"time"

	"mishap/internal/proxy/fault"
)

// partAnswers is how long some answers took in the baseline that rows are of: what of them is slow is read off it. Rows of
// all requests go by the buckets.
type partAnswers struct {
	part    uint16 // of the traffic; 0: all
	met     bool   // of the requests that met the fault
	rows    []string
	latency [armsBins]uint64
}

// answersOf are those of the rows that need a threshold: of those that are confined to a part of the traffic, and of those
// that are of what met the fault, and then also of all of the part.
func answersOf(rows []unitRow, exposed bool) (list []*partAnswers) {
	type key struct {
		part uint16
		met  bool
	}
	of := map[key]*partAnswers{}
	add := func(k key, row string) {
		if of[k] == nil {
			of[k] = &partAnswers{part: k.part, met: k.met}
			list = append(list, of[k])
		}
		of[k].rows = append(of[k].rows, row)
	}
	for _, r := range rows {
		switch {
		case r.Of != fault.OfSlow:
		case exposed && r.part != 0:
			add(key{r.part, true}, r.Name)
			add(key{r.part, false}, r.Name+fault.All)
		case exposed, r.part != 0:
			add(key{r.part, exposed}, r.Name)
		}
	}
	return list
}

// time counts how long a request took that is over, until thresholds are told; again when it is known that it met the fault.
func (b *armsBook) time(r *armRequest, met bool) {
	u := b.units
	if u.thresholds != nil || !r.has(succeeded) {
		return
	}
	for _, a := range u.answers {
		if a.met == met && (a.part == 0 || r.parts&a.part != 0) {
			a.latency[b.binOf(time.Duration(r.took)*time.Microsecond)]++
		}
	}
}

// RowAnswers is how long the answers took that a row is of, in both arms and until its threshold is told.
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
