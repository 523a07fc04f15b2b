package mishap_test

import (
	"testing"
	"time"

	"mishap"
)

func TestCostCountsExtraFailuresAlwaysAndMinutesOnlyOfHarm(t *testing.T) {
	injected := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	arms := &mishap.Compare{Arms: mishap.Arms{From: mishap.ArmsFromRequests, Share: 0.05}}
	tests := map[string]struct {
		compare   *mishap.Compare
		extra     float64
		deviation string
		want      float64
	}{
		"no harm, and a few failures more": {arms, 3, "", 6},
		"fewer failures than in control":   {arms, -3, "", 0},
		"harm to a twentieth of all":       {arms, 10, "harm", 20 + 2*60*0.05},
		"harm to all, and no arms":         {nil, 0, "a probe", 2 * 60},
	}
	for name, tt := range tests {
		r := &mishap.Run{InjectedAt: injected, Deviation: tt.deviation}
		r.Plan.Experiment.Cost = &mishap.Cost{PerRequest: 2, PerMinute: 60, Currency: "EUR"}
		r.Plan.Experiment.Compare = tt.compare
		r.Injections = []*mishap.RunInjection{
			{Injection: mishap.Injection{Fault: mishap.ArmsFault}, SettledAt: injected.Add(time.Hour)},
			{Injection: mishap.Injection{Fault: "slow"}, SettledAt: injected.Add(2 * time.Minute)},
		}
		if tt.compare != nil {
			r.Looks = []*mishap.Comparison{{Phase: mishap.InHold, Extra: tt.extra}}
		}
		if got := mishap.EstimateCost(r); got == nil || got.Amount != tt.want || got.Currency != "EUR" {
			t.Errorf("%s: %+v, want %g", name, got, tt.want)
		}
	}
}

func TestCostIsNotEstimatedWithoutPricesOrInjection(t *testing.T) {
	r := &mishap.Run{InjectedAt: time.Now()}
	if got := mishap.EstimateCost(r); got != nil {
		t.Errorf("no prices: %+v", got)
	}
	r = &mishap.Run{}
	r.Plan.Experiment.Cost = &mishap.Cost{PerRequest: 2}
	if got := mishap.EstimateCost(r); got != nil {
		t.Errorf("nothing injected: %+v", got)
	}
}
