package prometheus_test

import (
	"errors"
	"strings"
	"testing"

	"mishap/internal/prometheus"
)

// quote hides the only secret of these tests.
func quote(text string) string { return "<" + strings.ReplaceAll(text, "hunter2", "[secret]") + ">" }

func TestAnAnswerIsReadOnlyIfTheServerKnowsItWhole(t *testing.T) {
	for body, want := range map[string]string{
		`hunter2 is wrong`: "status 502 and not an answer of Prometheus: <[secret] is wrong>",
		`{}`:               "status 502 and not an answer of Prometheus: <{}>",
		`{"status":"error","errorType":"bad_data","error":"parse hunter2"}`:               "Prometheus refused the query, bad_data: <parse [secret]>",
		`{"status":"success","warnings":["hunter2 is down","so is b"]}`:                   "Prometheus knows only a part: <[secret] is down; so is b>",
		`{"status":"success","data":{"resultType":"string","result":[1,"x"]}}`:            "",
		`{"status":"success","data":{"resultType":"vector","result":[]},"infos":["odd"]}`: "",
	} {
		if _, err := prometheus.Read(502, []byte(body), quote); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func TestAResultIsSeriesWhateverItsKind(t *testing.T) {
	read := func(kind, result string) ([]prometheus.Series, error) {
		a, err := prometheus.Read(200, []byte(`{"status":"success","data":{"resultType":"`+kind+`","result":`+result+`}}`), quote)
		if err != nil {
			t.Fatal(err)
		}
		return a.Series(quote)
	}
	if all, err := read("vector", `[{"metric":{"a":"b"},"value":[1,"2"]},{"histogram":[1,{}]}]`); err != nil || len(all) != 2 || string(all[0].Value[1]) != `"2"` || all[0].Metric["a"] != "b" || all[1].Value != nil {
		t.Errorf("vector: %+v, %v", all, err)
	}
	if all, err := read("matrix", `[{"values":[[1,"2"],[2,"3"]],"histograms":[[1,{}]]}]`); err != nil || len(all) != 1 || len(all[0].Values) != 2 || len(all[0].Histograms) != 1 {
		t.Errorf("matrix: %+v, %v", all, err)
	}
	if all, err := read("scalar", `[1,"2"]`); err != nil || len(all) != 1 || string(all[0].Value[1]) != `"2"` {
		t.Errorf("scalar: %+v, %v", all, err)
	}
	if all, err := read("string", `[1,"x"]`); !errors.Is(err, prometheus.ErrNotNumbers) || all != nil {
		t.Errorf("string: %+v, %v", all, err)
	}
	for _, kind := range []string{"vector", "scalar"} {
		if all, err := read(kind, `"hunter2"`); err == nil || errors.Is(err, prometheus.ErrNotNumbers) || all != nil {
			t.Errorf("rubbish as %s: %+v, %v", kind, all, err)
		}
	}
}
