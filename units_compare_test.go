package mishap_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mishap"
)

func TestWordsOfAComparisonAreReadAsTheyAreWritten(t *testing.T) {
	roundTrip[mishap.BaselineTime](t, []string{"60s", "auto", "auto up to 30m", " auto ", "1m0s"}, []string{"", "automatic", "auto 30m", "auto up to", "auto up to -1s", "30"})
	roundTrip[mishap.Quantile](t, []string{"p50", "p99.9", "p99.999"}, []string{"50", "p0", "p100", "p", "p50%", "p-5"})
	roundTrip[mishap.StatusSet](t, []string{"2xx", "200-399", "200, 404", "2xx,404"}, []string{"", "6xx", "99", "300-200", "2x", "abc", "200,", "+20", "2-3"})
}

// roundTrip reads each text, writes it, reads that, and wants the same; each of wrong it wants refused.
func roundTrip[T any](t *testing.T, right, wrong []string) {
	t.Helper()
	for _, text := range right {
		var first, second T
		raw, _ := json.Marshal(text)
		if err := json.Unmarshal(raw, &first); err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		written, err := json.Marshal(first)
		if err != nil || json.Unmarshal(written, &second) != nil {
			t.Errorf("%s is written %s: %v", raw, written, err)
		}
		if again, _ := json.Marshal(second); string(again) != string(written) {
			t.Errorf("%s is written %s, and then %s", raw, written, again)
		}
	}
	for _, text := range wrong {
		var v T
		raw, _ := json.Marshal(text)
		if json.Unmarshal(raw, &v) == nil {
			t.Errorf("%s is read as %v", raw, v)
		}
	}
}

// TestEachComparedPartHasRowsThatNoMetricDecidesBy: else what a small part is answered would drown in all requests.
func TestEachComparedPartHasRowsThatNoMetricDecidesBy(t *testing.T) {
	success := mishap.CompareMetric{Name: "success-rate", Metric: mishap.SuccessRate, Margin: mishap.Margin{Difference: 0.01}}
	buy, slow := success, mishap.CompareMetric{Name: "latency", Metric: mishap.Latency, Margin: mishap.Margin{Ratio: 1.2}, Path: "/buy", Method: "POST"}
	buy.Path, buy.Method = "/buy", "POST"
	for name, x := range map[string]struct {
		metrics []mishap.CompareMetric
		status  string
		want    string
	}{
		"all requests":                 {[]mishap.CompareMetric{success}, "", "cut; refused; late; moved"},
		"a part":                       {[]mishap.CompareMetric{buy}, "", "cut POST /buy; refused POST /buy; late POST /buy; moved POST /buy"},
		"two metrics of a part":        {[]mishap.CompareMetric{buy, slow}, "2xx", "cut POST /buy; refused POST /buy; late POST /buy"},
		"all, and latencies of a part": {[]mishap.CompareMetric{success, slow}, "2xx", "cut; refused; late; cut POST /buy; refused POST /buy; late POST /buy"},
		"latencies of a part":          {[]mishap.CompareMetric{slow}, "2xx", "cut POST /buy; refused POST /buy; late POST /buy; failures POST /buy"},
		"success of a part, and all their latencies": {[]mishap.CompareMetric{buy, {Name: "latency", Metric: mishap.Latency}}, "2xx", "cut POST /buy; refused POST /buy; late POST /buy; cut; refused; late; failures"},
	} {
		c := mishap.Compare{Arms: mishap.Arms{From: mishap.ArmsFromRequests}, Metrics: x.metrics, Success: &mishap.Success{}}
		if x.status != "" {
			if err := c.Success.Status.UnmarshalText([]byte(x.status)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range c.Metrics {
			c.Metrics[i].Source = mishap.ProxySource
		}
		var got []string
		for _, r := range c.Unweighed() {
			got = append(got, strings.TrimSpace(string(r.Of)+" "+strings.TrimSpace(r.Method+" "+r.Path)))
		}
		if text := strings.Join(got, "; "); text != x.want {
			t.Errorf("%s: %s, want %s", name, text, x.want)
		}
	}
}

// TestWhatIsComparedIsWhileAllFaultsAreIn: one that ended early would dilute what it did, and be held for a time in which it was not.
func TestWhatIsComparedIsWhileAllFaultsAreIn(t *testing.T) {
	lasting := func(all ...time.Duration) (e mishap.Experiment) {
		for _, d := range all {
			e.Faults = append(e.Faults, mishap.Fault{For: mishap.Duration(d)})
		}
		return e
	}
	for _, x := range []struct {
		e    mishap.Experiment
		want time.Duration
	}{
		{lasting(time.Minute), time.Minute},
		{lasting(time.Minute, 26*time.Second, time.Hour), 26 * time.Second},
		{lasting(0, time.Hour), mishap.SeenWithin},
		{lasting(), 0},
	} {
		if got := x.e.Together(); got != x.want {
			t.Errorf("%d faults: %s, want %s", len(x.e.Faults), got, x.want)
		}
	}
}
