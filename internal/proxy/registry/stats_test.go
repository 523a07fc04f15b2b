package registry_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"mishap/internal/proxy/registry"
)

func TestDelaysAreSummedUpHonestly(t *testing.T) {
	for _, unit := range []time.Duration{time.Microsecond, 37 * time.Microsecond, time.Millisecond, 500 * time.Millisecond} {
		var delays []time.Duration
		for i := range 1000 {
			delays = append(delays, time.Duration(i+1)*unit)
		}
		d := registry.Summarize(delays)
		if d.Count != 1000 || d.Min != unit || d.Max != 1000*unit || d.Mean != 1001*unit/2 {
			t.Errorf("in %v: %v", unit, d)
		}
		for want, got := range map[time.Duration]time.Duration{500 * unit: d.P50, 990 * unit: d.P99} {
			if math.Abs(float64(got)/float64(want)-1) > 0.032 {
				t.Errorf("in %v: got %v, want %v to about 3 %%", unit, got, want)
			}
		}
	}
}

// TestRareDelayShows: the percentiles of a few delays must not hide the longest.
func TestRareDelayShows(t *testing.T) {
	d := registry.Summarize([]time.Duration{time.Millisecond, time.Millisecond, time.Second})
	if d.P99 < 960*time.Millisecond || d.P50 > 2*time.Millisecond {
		t.Fatalf("%v", d)
	}
}

func TestDelaysSurviveJSON(t *testing.T) {
	for _, want := range []registry.Delays{{}, registry.Summarize([]time.Duration{time.Millisecond, 3 * time.Second})} {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got registry.Delays
		if err := json.Unmarshal(data, &got); err != nil || got != want {
			t.Errorf("%s became %v, %v", data, got, err)
		}
	}
	if s := (registry.Delays{}).String(); s != "none" {
		t.Errorf("no delays are %q", s)
	}
}

func TestWhatAFaultDidOnceIsSaidOfOne(t *testing.T) {
	for want, s := range map[string]registry.Stats{
		"1 request hit, 1 connection ended":                                                 {Requests: 1, Ended: 1},
		"2 requests hit, 2 connections ended":                                               {Requests: 2, Ended: 2},
		"1 datagram lost, 1 byte lost, 1 time no room to hold more, so that the delay grew": {Lost: 1, Dropped: 1, Overflow: 1},
		"1 request of the experiment, 1 of control": {Allocation: &registry.Allocation{
			Experiment: registry.ArmUnits{Requests: 1}, Control: registry.ArmUnits{Requests: 1}}},
	} {
		if got := s.Did(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
