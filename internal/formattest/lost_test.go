package formattest

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestWhatAFormatLosesIsNamedAndWhatItGainsIsNot(t *testing.T) {
	const before = `{"a": 1, "list": ["x", "y"], "deep": {"key": {"description": "words", "required": ["k"]}}}`
	for _, test := range []struct {
		name, now string
		rules     rules
		want      string // begins the only loss; empty: none
	}{
		{"the same", before, rules{}, ""},
		{"a key more", `{"b": 2, "a": 1, "list": ["x", "y"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{required: true}, ""},
		{"an item more between", `{"a": 1, "list": ["x", "n", "y"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{}, ""},
		{"a key less", `{"list": ["x", "y"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{}, ".a: it is gone"},
		{"a text for a number", `{"a": "1", "list": ["x", "y"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{}, ".a: it was 1"},
		{"an item less", `{"a": 1, "list": ["x"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{}, ".list[1]: it is gone"},
		{"items turned round", `{"a": 1, "list": ["y", "x", "z"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{}, ".list[1]: it is gone"},
		{"another item", `{"a": 1, "list": ["x", "z"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{}, ".list[1]: it was y"},
		{"no list", `{"a": 1, "list": {}, "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{}, ".list: it was"},
		{"other words", `{"a": 1, "list": ["x", "y"], "deep": {"key": {"description": "others", "required": ["k"]}}}`, rules{}, ".deep.key.description: it was"},
		{"other prose", `{"a": 1, "list": ["x", "y"], "deep": {"key": {"description": "others", "required": ["k"]}}}`, rules{prose: true}, ""},
		{"a key that is called like prose", `{"a": 1, "list": ["x", "y"], "deep": {"key": {"description": {}, "required": ["k"]}}}`, rules{prose: true}, ".deep.key.description: it was"},
		{"other values of the same types", `{"a": 9, "list": ["p", "q"], "deep": {"key": {"description": "others", "required": ["r"]}}}`, rules{shape: true}, ""},
		{"values of another type", `{"a": "1", "list": ["p", "q"], "deep": {"key": {"description": "others", "required": ["r"]}}}`, rules{shape: true}, ".a: it was 1"},
		{"more required", `{"a": 1, "list": ["x", "y"], "deep": {"key": {"description": "words", "required": ["k", "l"]}}}`, rules{required: true}, ".deep.key: l is required"},
		{"required at first", `{"a": 1, "required": ["a"], "list": ["x", "y"], "deep": {"key": {"description": "words", "required": ["k"]}}}`, rules{required: true}, ": a is required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var was, is any
			if err := json.Unmarshal([]byte(before), &was); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(test.now), &is); err != nil {
				t.Fatal(err)
			}
			got := test.rules.lost("", was, is)
			if test.want == "" && got != nil || test.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], test.want)) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestMetricsAreToldWithTypeAndLabels(t *testing.T) {
	page := "# HELP up Words.\n# TYPE up gauge\nup{a=\"1\"} 1\nup{b=\"x,c=\"} 1\n# TYPE took histogram\ntook_bucket{proxy=\"p\",le=\"1\"} 0\ntook_sum{proxy=\"p\"} 0\n"
	if got, want := listed(metricsOf(page)), "took histogram proxy\nup gauge a b\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
