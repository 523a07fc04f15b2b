package probes_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/freeport"
	"mishap/probes"
)

// fakePrometheus answers each query with the body of that name.
func fakePrometheus(t *testing.T, answers map[string]string) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.Path != "/prom/api/v1/query" {
			http.NotFound(w, r)
			return
		}
		answer, ok := answers[r.PostFormValue("query")]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"status":"error","errorType":"bad_data","error":"1:3: parse error: unexpected end"}`
		}
		io.WriteString(w, answer)
	}) + "/prom/"
}

func vector(values ...string) string {
	var series []string
	for i, v := range values {
		series = append(series, fmt.Sprintf(`{"metric":{"i":"%d"},"value":[1700000000.1,"%s"]}`, i, v))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}

func TestPrometheusComparesOnlyWhatItKnows(t *testing.T) {
	url := fakePrometheus(t, map[string]string{
		"one": vector("0.04"), "none": vector(), "nan": vector("NaN"), "inf": vector("+Inf"),
		"three": vector("1", "2", "3.5"), "holes": vector("1", "NaN"), "infs": vector("+Inf", "-Inf"),
		"scalar":  `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"3"]}}`,
		"matrix":  `{"status":"success","data":{"resultType":"matrix","result":[]}}`,
		"warn":    strings.Replace(vector("1"), `"data"`, `"warnings":["a store is down"],"data"`, 1),
		"hist":    `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}`,
		"rubbish": "<html>", "empty": "{}",
	})
	for _, c := range []struct {
		query, value, reduce string
		result               mishap.Result
		shown, detail        string
	}{
		{"one", "< 5%", "", mishap.Met, "0.04", ""},
		{"one", "< 40ms", "", mishap.Unmet, "0.04", "value is 0.04, expected < 40ms"},
		{"one", ">= 1", "all", mishap.Unmet, "0.04", "value is 0.04, expected >= 1"},
		{"scalar", "= 3", "", mishap.Met, "3", ""},
		{"inf", "< 1", "", mishap.Unmet, "+Inf", "value is +Inf"},
		{"three", "< 10", "", mishap.Unmeasured, "", "3 series"},
		{"three", "= 3.5", "max", mishap.Met, "3.5 (max of 3 series)", ""},
		{"three", "= 1", "min", mishap.Met, "1 (min of 3 series)", ""},
		{"three", "= 6.5", "sum", mishap.Met, "6.5 (sum of 3 series)", ""},
		{"three", "<= 3.5", "all", mishap.Met, "1 to 3.5 (all of 3 series)", ""},
		{"three", "> 1", "all", mishap.Unmet, "1 to 3.5 (all of 3 series)", "expected > 1"},
		{"none", "< 1", "all", mishap.Unmeasured, "", "no data"},
		{"nan", "!= 1", "", mishap.Unmeasured, "", "not a number"},
		{"holes", "< 5", "max", mishap.Unmeasured, "", "not a number"},
		{"infs", "< 5", "sum", mishap.Unmeasured, "", "not a number"},
		{"matrix", "< 5", "", mishap.Unmeasured, "", "gives a matrix"},
		{"hist", "< 5", "", mishap.Unmeasured, "", "histogram"},
		{"warn", "< 5", "", mishap.Unmeasured, "", "a store is down"},
		{"rubbish", "< 5", "", mishap.Unmeasured, "", `not an answer of Prometheus: "<html>"`},
		{"empty", "< 5", "", mishap.Unmeasured, "", "not an answer"},
		{"up{", "< 5", "", mishap.Unmeasured, "", "bad_data: \"1:3: parse error"},
	} {
		expect := object{"value": c.value}
		if c.reduce != "" {
			expect["reduce"] = c.reduce
		}
		o := observe(t, "prometheus", object{"url": url, "query": c.query}, expect)
		want(t, o, c.result, c.detail)
		if o.Value != c.shown {
			t.Errorf("%s: value %q, want %q", c.query, o.Value, c.shown)
		}
	}
}

func TestAPrometheusThatIsDownIsUnknown(t *testing.T) {
	ask := object{"url": "http://" + freeport.Address(), "query": "up"}
	limit := object{"value": "> 0"}
	want(t, observe(t, "prometheus", ask, limit), mishap.Unmeasured, "refused")
	ask["url"] = serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the client has gone
		<-r.Context().Done()
	})
	wantWithin(t, "prometheus", ask, limit, mishap.Unmeasured, func(limit time.Duration) string { return fmt.Sprintf("no answer of Prometheus within %s", limit) })
	ask["url"] = serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })
	want(t, observe(t, "prometheus", ask, limit), mishap.Unmeasured, "status 302")
}

func TestPrometheusRefusesWhatCannotBe(t *testing.T) {
	wantProblems(t, "prometheus", object{}, nil, "with.url", "with.query", "expect.value")
	wantProblems(t, "prometheus", object{"url": "http://h/api/v1/query?query=up", "query": "up"}, object{"value": "5", "reduce": "maximum"},
		"with.url", "expect.value", "expect.reduce")
	wantProblems(t, "prometheus", object{"url": "http://h", "query": " "}, object{"value": 3}, "with.query", "expect.value")
}

func TestAResultIsShownSoThatItCanBeToldFromItsLimit(t *testing.T) {
	for v, want := range map[float64]string{
		1 << 53: "9007199254740992", -1234567: "-1234567", 0.1: "0.1", 1: "1", 1e300: "1e+300", 2.0 / 3: "0.666667", 1234567.5: "1.23457e+06",
	} {
		if got := probes.Number(v); got != want {
			t.Errorf("%v is shown as %s, want %s", v, got, want)
		}
	}
}
