package probes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"mishap"
)

// Whatever a value is read from, it is compared exactly or it is unknown; it is
// never met by a neighbour.
func TestValuesAreComparedExactlyOrUnknown(t *testing.T) {
	const met, unmet, unknown = mishap.Met, mishap.Unmet, mishap.Unmeasured
	for _, c := range []struct {
		value, limit              string // as JSON prints the value
		fromJSON, command, metric mishap.Result
	}{
		{"9007199254740993", "= 9007199254740993", met, met, unknown},
		{"9007199254740993", "= 9007199254740992", unmet, unmet, unknown},
		{"9007199254740993", "<= 9007199254740992", unmet, unmet, unknown},
		{"9007199254740992", "< 9007199254740993", met, met, unknown},
		{"9007199254740993", "!= 9007199254740992", met, met, unknown},
		{"9007199254740991", "= 9007199254740991", met, met, met},
		{"9007199254740991", "< 9007199254740992", met, met, met},
		{"9007199254740996", "< 9007199254741000", met, met, met},
		{"1700000000000000000", "< 1800000000000000000", met, met, met},
		{"-9007199254740993", ">= -9007199254740992", unmet, unmet, unknown},
		{"0.1", "= 10%", met, met, met},
		{"0.07", "<= 7%", met, met, met},
		{"-0", "= 0", met, met, met},
		{"1e400", "> 5", met, met, unknown},
		{"1e400", "< 5", unmet, unmet, unknown},
		{"1e99999", "< 5", unknown, unknown, unknown},
		{"0x10", "= 16", unmet, unknown, unknown}, // not JSON
		{"1_000", "= 1000", unmet, unknown, unknown},
		{"007", "= 7", unmet, met, met}, // not JSON
		{`"5"`, "= 5", unmet, unknown, unknown},
		{"true", "= 1", unmet, unknown, unknown},
		{"null", "= 0", unmet, unknown, unknown},
		{"NaN", "= 0", unmet, unknown, unknown},
		{"Inf", "> 5", unmet, unknown, met}, // Prometheus has infinities
	} {
		t.Run(c.value+" "+c.limit, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/json" {
					fmt.Fprintf(w, `{"v": %s}`, c.value)
					return
				}
				text, _ := json.Marshal(c.value)
				fmt.Fprintf(w, `{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, %s]}]}}`, text)
			}))
			defer api.Close()
			for _, got := range []struct {
				from string
				want mishap.Result
				mishap.Observation
			}{
				{"JSON", c.fromJSON, observe(t, "http", object{"url": api.URL + "/json"}, object{"json": object{"$.v": c.limit}})},
				{"command", c.command, observe(t, "exec", object{"argv": []string{"printf", "%s", c.value}}, object{"value": c.limit})},
				{"metric", c.metric, observe(t, "prometheus", object{"url": api.URL, "query": "v"}, object{"value": c.limit})},
			} {
				if got.Result != got.want {
					t.Errorf("from %s: %s (%s), want %s", got.from, got.Result, got.Detail, got.want)
				}
			}
		})
	}
}

func TestJSONValuesAreEqualExactly(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"id": 9007199254740993, "list": [{"id": 9007199254740993}], "one": 1.0}`)
	}))
	defer api.Close()
	for _, c := range []struct {
		expect string
		want   mishap.Result
	}{
		{`{"$.id": 9007199254740993}`, mishap.Met},
		{`{"$.id": 9007199254740992}`, mishap.Unmet},
		{`{"$.list": [{"id": 9007199254740993}]}`, mishap.Met},
		{`{"$.list": [{"id": 9007199254740992}]}`, mishap.Unmet},
		{`{"$.one": 1}`, mishap.Met},
		{`{"$.one": "1"}`, mishap.Unmet},
		{`{"$.one": true}`, mishap.Unmet},
	} {
		if o := observe(t, "http", object{"url": api.URL}, object{"json": json.RawMessage(c.expect)}); o.Result != c.want {
			t.Errorf("%s: %s (%s), want %s", c.expect, o.Result, o.Detail, c.want)
		}
	}
}

// A sum is as exact as its parts.
func TestSumsOfSeriesAreExactOrUnknown(t *testing.T) {
	for _, c := range []struct {
		values []string
		limit  string
		want   mishap.Result
	}{
		{[]string{"0.1", "0.2"}, "= 0.3", mishap.Met},
		{[]string{"9007199254740991", "9007199254740991"}, "= 18014398509481982", mishap.Met},
		{[]string{"9007199254740992", "1"}, "= 9007199254740993", mishap.Unmeasured},
		{[]string{"9007199254740992", "1"}, "< 1e17", mishap.Met},
		{[]string{"+Inf", "1"}, "< 5", mishap.Unmet},
		{[]string{"+Inf", "-Inf"}, "< 5", mishap.Unmeasured},
	} {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			list := ""
			for i, v := range c.values {
				if i > 0 {
					list += ","
				}
				list += fmt.Sprintf(`{"metric": {}, "value": [1, %q]}`, v)
			}
			fmt.Fprintf(w, `{"status": "success", "data": {"resultType": "vector", "result": [%s]}}`, list)
		}))
		o := observe(t, "prometheus", object{"url": api.URL, "query": "v"}, object{"value": c.limit, "reduce": "sum"})
		api.Close()
		if o.Result != c.want {
			t.Errorf("%v %s: %s (%s), want %s", c.values, c.limit, o.Result, o.Detail, c.want)
		}
	}
}
