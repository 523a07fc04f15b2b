package slots

import (
	"encoding/json"
	"fmt"
	"time"
)

// What a trial is in [Snapshot.Trials]: a capital letter is one that failed.
const (
	TrialControl    = 'c'
	TrialExperiment = 'e'
)

// Before are sums over the slots of one arm that counted anything in the
// baseline, whether they were seen since or not. As JSON they are one array.
type Before struct {
	Units      float64
	N, Y       float64
	NN, NY, YY float64
}

func (b *Before) grow(was cell, dn, dy float64) {
	n, y := float64(was.n), float64(was.y)
	if was.n == 0 {
		b.Units++
	}
	b.N, b.Y = b.N+dn, b.Y+dy
	b.NN += dn * (2*n + dn)
	b.NY += n*dy + dn*y + dn*dy
	b.YY += dy * (2*y + dy)
}

// Plus is both together.
func (b Before) Plus(o Before) Before {
	return Before{b.Units + o.Units, b.N + o.N, b.Y + o.Y, b.NN + o.NN, b.NY + o.NY, b.YY + o.YY}
}

// MarshalJSON writes one array.
func (b Before) MarshalJSON() ([]byte, error) {
	return json.Marshal([...]float64{b.Units, b.N, b.Y, b.NN, b.NY, b.YY})
}

// UnmarshalJSON reads one array, and refuses what no slots can have.
func (b *Before) UnmarshalJSON(data []byte) error {
	var a []float64
	if err := json.Unmarshal(data, &a); err != nil {
		return err
	}
	if len(a) < 6 {
		return fmt.Errorf("%w: %d sums of the baseline instead of 6", ErrSums, len(a))
	}
	*b = Before{a[0], a[1], a[2], a[3], a[4], a[5]}
	return b.Check()
}

// Check refuses sums that no slots can have.
func (b *Before) Check() error {
	m := Moments{Units: b.Units, N: b.N, Y: b.Y, NN: b.NN, NY: b.NY, YY: b.YY}
	return m.Check()
}

// Side is what one arm did, of one row.
type Side struct {
	Since  Moments `json:"since"`
	Before Before  `json:"before"`
	// Most is the largest n of one slot since the injection.
	Most float64 `json:"most,omitempty"`
	// Few are the slots one by one (n, y, n0, y0 of each), if few were seen.
	Few [][4]float64 `json:"few,omitempty"`
}

// RowSums is one row, since the injection and before.
type RowSums struct {
	Name       string `json:"name"`
	Control    Side   `json:"control"`
	Experiment Side   `json:"experiment"`
}

// WindowRow is one row of a window.
type WindowRow struct {
	Name       string  `json:"name"`
	Control    Moments `json:"control"`
	Experiment Moments `json:"experiment"`
}

// Window is what came since its start.
type Window struct {
	Number int         `json:"number"` // 1 begins FirstWindow after the injection
	Start  time.Time   `json:"start"`
	Rows   []WindowRow `json:"rows"`
}

// Snapshot is all that a book tells: sums, and no unit unless there are few.
type Snapshot struct {
	// Began names the book: another time is another book, and what the first
	// had is lost.
	Began    time.Time `json:"began"`
	Injected time.Time `json:"injected,omitzero"`
	// UpTo is the end of what is counted completely.
	UpTo  time.Time `json:"upTo"`
	Slots int       `json:"slots"`
	Rows  []RowSums `json:"rows"`
	// Windows are those that have begun, the oldest first.
	Windows []Window `json:"windows,omitempty"`
	// Trials are units' first requests since the injection, in their order, from
	// the index TrialsFrom on; one letter each.
	TrialsFrom int    `json:"trialsFrom,omitempty"`
	Trials     string `json:"trials,omitempty"`
	// MissingBefore and Missing are time that is not counted, of the baseline and
	// since the injection.
	MissingBefore time.Duration `json:"missingBefore,omitempty"`
	Missing       time.Duration `json:"missing,omitempty"`
	// Refused is how many counts could not be.
	Refused uint64 `json:"refused,omitempty"`
}

// Snapshot tells what is counted so far; of the first requests, those from an
// index on, which is how many the caller has.
func (b *Book) Snapshot(trialsFrom int) Snapshot {
	trialsFrom = min(max(trialsFrom, 0), len(b.trials))
	s := Snapshot{
		Began: b.began, Injected: b.injected, UpTo: b.upTo, Slots: b.slots, Refused: b.refused,
		MissingBefore: b.missing[0], Missing: b.missing[1],
		TrialsFrom: trialsFrom, Trials: string(b.trials[trialsFrom:]),
	}
	for i, r := range b.rows {
		s.Rows = append(s.Rows, RowSums{Name: r.Name, Control: b.side(i, Control), Experiment: b.side(i, Experiment)})
	}
	for _, w := range b.windows {
		out := Window{Number: w.number, Start: w.start}
		for i, r := range b.rows {
			if k := b.windowed[i]; k >= 0 {
				out.Rows = append(out.Rows, WindowRow{r.Name, w.sums[k][Control], w.sums[k][Experiment]})
			}
		}
		s.Windows = append(s.Windows, out)
	}
	return s
}

func (b *Book) side(row int, arm Arm) Side {
	s := b.sums[row][arm]
	out := Side{Since: s.since, Before: s.before, Most: float64(s.most)}
	if b.rows[row].Whole || b.rows[row].Beside || len(b.few) > fewUnits {
		return out
	}
	for _, p := range b.few {
		i := ((int(arm)*b.slots+int(p.Slot))*len(b.rows) + row) * 2
		if before, since := b.counted(row, b.cells[i]), b.counted(row, b.cells[i+1]); p.Arm == arm && since.n > 0 {
			out.Few = append(out.Few, [4]float64{float64(since.n), float64(since.y), float64(before.n), float64(before.y)})
		}
	}
	return out
}

// Row is the sums of a row by its name.
func (s *Snapshot) Row(name string) (RowSums, bool) {
	for _, r := range s.Rows {
		if r.Name == name {
			return r, true
		}
	}
	return RowSums{}, false
}

// Row is the row of a window by its name.
func (w *Window) Row(name string) (WindowRow, bool) {
	for _, r := range w.Rows {
		if r.Name == name {
			return r, true
		}
	}
	return WindowRow{}, false
}
