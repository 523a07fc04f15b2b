package mishap_test

import (
	"encoding/json"
	"testing"

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
