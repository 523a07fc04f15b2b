package fault_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"mishap/internal/proxy/fault"
)

// counting are arms that count failures, a p50 and events.
func counting(change ...func(*fault.Counts)) fault.Arms {
	c := &fault.Counts{Rows: []fault.CountRow{{Name: "ok", Of: fault.OfFailures}, {Name: "p50", Of: fault.OfSlow}, {Name: "paid", Of: fault.OfEvents}}}
	for _, f := range change {
		f(c)
	}
	return fault.Arms{Counts: c}
}

func TestCountsThatCannotBeAreRefused(t *testing.T) {
	row := func(r fault.CountRow) func(*fault.Counts) {
		return func(c *fault.Counts) { c.Rows = append(c.Rows, r) }
	}
	for says, change := range map[string]func(*fault.Counts){
		"from 1 to 128 rows":       func(c *fault.Counts) { c.Rows = nil },
		"that of another: \"ok\"":  row(fault.CountRow{Name: "ok", Of: fault.OfEvents}),
		"another: \"p50 change\"":  row(fault.CountRow{Name: "p50 change", Of: fault.OfFailures}),
		"no name":                  row(fault.CountRow{Of: fault.OfEvents}),
		"not of failures, refused": row(fault.CountRow{Name: "x", Of: "luck"}),
		"can never match":          row(fault.CountRow{Name: "x", Of: fault.OfEvents, Path: "pay"}),
		"is not a method":          row(fault.CountRow{Name: "x", Of: fault.OfEvents, Method: "G T"}),
		"from 100 to 599":          func(c *fault.Counts) { c.Success = &fault.Success{Status: [][2]int{{300, 200}}} },
		"gRPC has no status 17":    func(c *fault.Counts) { c.Success = &fault.Success{Not: &fault.Failing{GRPCStatus: []int{17}}} },
		"is not a field name": func(c *fault.Counts) {
			c.Success = &fault.Success{Not: &fault.Failing{Header: map[string]string{"a b": "*"}}}
		},
		"a member of JSON needs a name": func(c *fault.Counts) {
			c.Success = &fault.Success{Not: &fault.Failing{JSON: map[string]string{"": "*"}}}
		},
	} {
		a := counting(change)
		a.Key, a.Tokens = "cookie:session", fault.ArmTokens{Control: "0123456789abcdef0", Experiment: "0123456789abcdef1"}
		f := fault.Fault{ID: "x", Run: "r", Proxy: "web", Effect: a, Share: .1, Seed: 7, Expires: time.Minute}
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

// TestAFaultWithCountsIsTheSameAfterItWasSent: else it could not be renewed.
func TestAFaultWithCountsIsTheSameAfterItWasSent(t *testing.T) {
	a := counting(func(c *fault.Counts) {
		c.Success = &fault.Success{Status: [][2]int{{200, 299}}, Not: &fault.Failing{JSON: map[string]string{"a.b": "*"}, GRPCStatus: []int{8}}}
	})
	data, err := (fault.Fault{Effect: a}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var f fault.Fault
	if err := f.UnmarshalJSON(data); err != nil || !reflect.DeepEqual(f.Effect, fault.Effect(a)) {
		t.Errorf("%s became %+v, %v", data, f.Effect, err)
	}
}
