package analysis

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"mishap/internal/slots"
)

// vectors are known answers, computed by another program in another language.
type vectors struct {
	Boundary []struct {
		Info, Tau, Z float64
		LogE         float64 `json:"log_e"`
	}
	Score []struct {
		Case                    string
		Delta, T, V, A, Z, Info float64
		Adjust                  bool
		Units                   []unitOf
		LogEHarm                float64 `json:"log_e_harm"`
		LogEClear               float64 `json:"log_e_clear"`
	}
	Interval []struct {
		Case                           string
		Margin, Estimate, Lower, Upper float64
		Alpha                          float64
		Harm                           float64 `json:"at_margin_log_e_harm"`
		Clear                          float64 `json:"at_margin_log_e_clear"`
		Units                          []unitOf
	}
	FewUnits []struct {
		Case  string
		Delta float64
		Units []unitOf
		One   float64 `json:"log_e_of_one_look"`
		Three float64 `json:"log_evidence_after_looks_1_to_3_alike"`
	} `json:"few_units"`
	First []struct {
		Margin float64
		Trials string
		Q      []float64
		LogE   []float64 `json:"log_e_after_each"`
	} `json:"first_requests"`
	Change []struct {
		Case        string
		Delta       float64
		Both        bool    `json:"both_arms"`
		Difference  float64 `json:"difference_minus_delta"`
		Variance, Z float64
	} `json:"change_since_baseline"`
	EventRate []struct {
		T, Margin float64
		V         float64  `json:"V_by_units"`
		Floor     float64  `json:"V_with_poisson_floor"`
		Z         float64  `json:"z_of_harm"`
		Units     []unitOf `json:"units_y_is_events"`
	} `json:"event_rate"`
}

type unitOf struct {
	Arm          string
	N, Y, N0, Y0 float64
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within*max(1, math.Abs(want))) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}

// armsOf are the units of a vector, with and without their baseline.
func armsOf(units []unitOf, baseline bool) (c, e [][4]float64) {
	for _, u := range units {
		one := [4]float64{u.N, u.Y, u.N0, u.Y0}
		if !baseline {
			one[2], one[3] = 0, 0
		}
		if u.Arm == "experiment" {
			e = append(e, one)
		} else {
			c = append(c, one)
		}
	}
	return c, e
}

func claimOf(units []unitOf, baseline bool, margin float64) *claim {
	c, e := armsOf(units, baseline)
	return &claim{control: momentsOf(c), experiment: momentsOf(e), margin: margin}
}

func TestVectorsOfTheBoundary(t *testing.T) {
	for _, v := range readVectors(t).Boundary {
		near(t, "log e", mixture(v.Z, v.Info, v.Tau), v.LogE, 1e-12)
	}
}

func TestVectorsOfTheScore(t *testing.T) {
	for _, v := range readVectors(t).Score {
		c := claimOf(v.Units, v.Adjust, 0.005)
		s := c.at(v.Delta)
		near(t, v.Case+": T", s.t, v.T, 1e-9)
		near(t, v.Case+": V", s.v, v.V, 1e-9)
		near(t, v.Case+": A", s.a, v.A, 1e-9)
		near(t, v.Case+": z", s.z, v.Z, 1e-9)
		near(t, v.Case+": information", s.info, v.Info, 1e-9)
		near(t, v.Case+": harm", c.harm(v.Delta), v.LogEHarm, 1e-9)
		near(t, v.Case+": clear", mixture(-s.z, s.info, 0.005), v.LogEClear, 1e-9)
	}
}

func TestVectorsOfTheInterval(t *testing.T) {
	for _, v := range readVectors(t).Interval {
		c := claimOf(v.Units, true, v.Margin)
		s := c.span(-math.Log(partMain*v.Alpha), -math.Log(v.Alpha), nil, true)
		near(t, v.Case+": harm", s.harm, v.Harm, 1e-9)
		near(t, v.Case+": clear", s.clear, v.Clear, 1e-9)
		near(t, v.Case+": estimate", s.estimate, v.Estimate, 1e-9)
		near(t, v.Case+": lower end", s.low, v.Lower, 1e-9)
		near(t, v.Case+": upper end", s.high, v.Upper, 1e-9)
	}
}

func TestVectorsOfFewUnits(t *testing.T) {
	for _, v := range readVectors(t).FewUnits {
		c := claimOf(v.Units, true, v.Delta)
		control, experiment := armsOf(v.Units, true)
		near(t, v.Case+": one look", c.signs(v.Delta, control, experiment), v.One, 1e-9)
		f := newFew(c)
		for _, at := range []float64{0.4, 0.5, 0.7, 1, 2, 3.9} {
			f.take(c, control, experiment, at)
		}
		near(t, v.Case+": three looks", f.at(v.Delta), v.Three, 1e-9)
		late := newFew(c) // the same at once
		late.take(c, control, experiment, 2)
		near(t, v.Case+": three looks at once", late.at(v.Delta), v.Three, 1e-9)
	}
}

func TestVectorsOfFirstRequests(t *testing.T) {
	for _, v := range readVectors(t).First {
		f := newFirst(&claim{margin: v.Margin}, 1e9)
		var got []float64
		for i, w := range strings.Fields(v.Trials) {
			arm, q := slots.Control, 0.5
			if w[0] == 'E' {
				arm = slots.Experiment
			}
			if v.Q != nil {
				q = v.Q[i]
			}
			f.trial(arm, w[1] == 'F', q)
			for k, h := range f.grid {
				if h.t == v.Margin {
					got = append(got, f.logE(k))
				}
			}
		}
		for i := range v.LogE {
			near(t, v.Trials[:3*i+2], got[i], v.LogE[i], 1e-9)
		}
	}
}

func TestVectorsOfTheChangeSinceTheBaseline(t *testing.T) {
	all := readVectors(t)
	for _, v := range all.Change {
		var units []unitOf
		for _, s := range all.Score {
			if s.Case == v.Case {
				units = s.Units
			}
		}
		control, experiment := armsOf(units, true)
		if v.Both {
			control = append(control, experiment...)
		}
		g := guard{since: momentsOf(control), before: beforeOf(control), margin: v.Delta, by: 1}
		c := g.at(v.Delta)
		near(t, v.Case+": difference", c.more, v.Difference, 1e-9)
		near(t, v.Case+": variance", c.v, v.Variance, 1e-9)
		near(t, v.Case+": z", c.z, v.Z, 1e-9)
	}
}

func beforeOf(units [][4]float64) (b slots.Before) {
	for _, u := range units {
		if u[2] > 0 {
			b = b.Plus(slots.Before{Units: 1, N: u[2], Y: u[3], NN: u[2] * u[2], NY: u[2] * u[3], YY: u[3] * u[3]})
		}
	}
	return b
}

func TestVectorsOfTheEventRate(t *testing.T) {
	for _, v := range readVectors(t).EventRate {
		c := claimOf(v.Units, true, -math.Log(1-v.Margin))
		c.ratio, c.down, c.poisson = true, true, true
		p, d := c.pair(c.margin)
		s := p.at(d)
		near(t, "T", s.t, v.T, 1e-9)
		near(t, "V", s.v, v.Floor, 1e-9)
		near(t, "z of harm", c.at(c.margin).z, v.Z, 1e-9)
		p.poisson = false
		p.e.Units = 0
		near(t, "V of the units", max(p.at(d).v, 0), v.V, 1e-9)
	}
}
