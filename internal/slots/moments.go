package slots

import (
	"encoding/json"
	"fmt"
	"math"
)

// Moments are sums over the slots of one arm that counted anything (n > 0): of
// how many requests (n) and how many of them were bad (y) since some time, of
// the same slots' baseline (n0, y0), and of all their products. They are exact
// below 2^53, but for the last. As JSON they are one array in the order of the
// fields; more may follow at its end, and of earlier versions the last is missing.
type Moments struct {
	Units      float64 // slots with n > 0
	N, Y       float64 // Σn, Σy
	N0, Y0     float64 // Σn0, Σy0
	NN, NY, YY float64 // Σn², Σny, Σy²
	N0N0       float64 // Σn0²
	N0Y0, Y0Y0 float64 // Σn0·y0, Σy0²
	NN0, NY0   float64 // Σn·n0, Σn·y0
	YN0, YY0   float64 // Σy·n0, Σy·y0
	Each       float64 // Σ(n0+1)·y/n: each slot's own share, by how active it was in the baseline
}

const (
	momentCount  = 16
	leastMoments = 15
)

// Unit is what one slot, or one unit that is known, did.
type Unit struct {
	N, Y   float64 // since the injection or the beginning of a window
	N0, Y0 float64 // in the baseline
}

// Add adds a unit; one that did nothing since is none.
func (m *Moments) Add(u Unit) {
	if u.N <= 0 {
		return
	}
	m.Units++
	m.N, m.Y, m.N0, m.Y0 = m.N+u.N, m.Y+u.Y, m.N0+u.N0, m.Y0+u.Y0
	m.NN, m.NY, m.YY = m.NN+u.N*u.N, m.NY+u.N*u.Y, m.YY+u.Y*u.Y
	m.N0N0, m.N0Y0, m.Y0Y0 = m.N0N0+u.N0*u.N0, m.N0Y0+u.N0*u.Y0, m.Y0Y0+u.Y0*u.Y0
	m.NN0, m.NY0 = m.NN0+u.N*u.N0, m.NY0+u.N*u.Y0
	m.YN0, m.YY0 = m.YN0+u.Y*u.N0, m.YY0+u.Y*u.Y0
	m.Each += (u.N0 + 1) * u.Y / u.N
}

// Plus is both together: the arms of which no slot is the same.
func (m Moments) Plus(o Moments) Moments {
	a, b := m.array(), o.array()
	for i := range a {
		a[i] += b[i]
	}
	return momentsOf(a)
}

// grow takes in that a slot which had n and y, and n0 and y0 in the baseline,
// did dn and dy more.
func (m *Moments) grow(was, before cell, dn, dy float64) {
	n, y, n0, y0 := float64(was.n), float64(was.y), float64(before.n), float64(before.y)
	if was.n == 0 {
		m.Units++
		m.N0, m.Y0 = m.N0+n0, m.Y0+y0
		m.N0N0, m.N0Y0, m.Y0Y0 = m.N0N0+n0*n0, m.N0Y0+n0*y0, m.Y0Y0+y0*y0
	}
	m.N, m.Y = m.N+dn, m.Y+dy
	m.NN += dn * (2*n + dn)
	m.NY += n*dy + dn*y + dn*dy
	m.YY += dy * (2*y + dy)
	m.NN0, m.NY0 = m.NN0+dn*n0, m.NY0+dn*y0
	m.YN0, m.YY0 = m.YN0+dy*n0, m.YY0+dy*y0
	if after := n + dn; after > 0 {
		m.Each = max(m.Each+(n0+1)*((y+dy)/after-y/max(n, 1)), 0)
	}
}

// growBefore takes in that a slot which had n and y since, and n0 and y0 before,
// did dn and dy more before.
func (m *Moments) growBefore(since, was cell, dn, dy float64) {
	n, y, n0, y0 := float64(since.n), float64(since.y), float64(was.n), float64(was.y)
	m.N0, m.Y0 = m.N0+dn, m.Y0+dy
	m.N0N0 += dn * (2*n0 + dn)
	m.N0Y0 += n0*dy + dn*y0 + dn*dy
	m.Y0Y0 += dy * (2*y0 + dy)
	m.NN0, m.NY0 = m.NN0+n*dn, m.NY0+n*dy
	m.YN0, m.YY0 = m.YN0+y*dn, m.YY0+y*dy
	m.Each += dn * y / max(n, 1)
}

func (m *Moments) array() [momentCount]float64 {
	return [...]float64{m.Units, m.N, m.Y, m.N0, m.Y0, m.NN, m.NY, m.YY, m.N0N0, m.N0Y0, m.Y0Y0, m.NN0, m.NY0, m.YN0, m.YY0, m.Each}
}

func momentsOf(a [momentCount]float64) Moments {
	return Moments{a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]}
}

// Check refuses moments that no slots can have: a number that is negative or
// none, more units than requests, a square mean above the mean square.
func (m *Moments) Check() error {
	for i, v := range m.array() {
		if !(v >= 0) || v > math.MaxInt64 { // also not a number
			return fmt.Errorf("%w: moment %d is %g", ErrSums, i, v)
		}
	}
	if m.Units > m.N || m.N*m.N > m.NN*m.Units*(1+1e-9) || m.Y*m.Y > m.YY*m.Units*(1+1e-9) {
		return fmt.Errorf("%w: %g units with %g requests and %g bad", ErrSums, m.Units, m.N, m.Y)
	}
	return nil
}

// MarshalJSON writes one array.
func (m Moments) MarshalJSON() ([]byte, error) { return json.Marshal(m.array()) }

// UnmarshalJSON reads one array; what a later version may add at its end is
// passed over.
func (m *Moments) UnmarshalJSON(data []byte) error {
	var all []float64
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	if len(all) < leastMoments {
		return fmt.Errorf("%w: %d moments instead of %d", ErrSums, len(all), momentCount)
	}
	var a [momentCount]float64
	copy(a[:], all)
	*m = momentsOf(a)
	return m.Check()
}
