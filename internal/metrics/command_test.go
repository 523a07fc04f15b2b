package metrics_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

func TestAWrongLineIsNamedAndTheNextOnesAreRead(t *testing.T) {
	good := func(second string) string {
		return `{"start":"2026-05-04T12:00:` + second + `Z","width":"1s","control":{"requests":5,"successes":4},"experiment":{"requests":6,"successes":6}}`
	}
	arms := func(control, experiment string) string {
		return `{"start":"2026-05-04T12:00:10Z","width":"1s","control":` + control + `,"experiment":` + experiment + `}`
	}
	fine := `{"requests":1,"successes":1}`
	for name, c := range map[string]struct {
		line  string
		after float64 // seconds after noon that it comes
		kind  error
		words string
	}{
		"not JSON":        {"requests=5", 11, nil, `line 2 of the command is not a bucket: invalid character`},
		"two objects":     {good("10") + good("11"), 12, nil, "line 2 of the command is not a bucket: there is more"},
		"cut off":         {good("10")[:40], 11, nil, "line 2 of the command is not a bucket: unexpected EOF"},
		"other key":       {arms(`{"requests":1,"successes":1,"failures":0}`, fine), 11, nil, `unknown field "failures"`},
		"no experiment":   {`{"start":"2026-05-04T12:00:10Z","width":"1s","control":{}}`, 11, nil, "experiment is missing"},
		"fractions":       {arms(`{"requests":1.5,"successes":1}`, fine), 11, nil, "cannot unmarshal number 1.5"},
		"negative width":  {`{"start":"2026-05-04T12:00:10Z","width":"-1s","control":{},"experiment":{}}`, 11, nil, "negative"},
		"no width":        {`{"start":"2026-05-04T12:00:10Z","width":"0s","control":{},"experiment":{}}`, 11, analysis.ErrBucket, "a width of 0s"},
		"metric missing":  {arms(fine, `{"requests":1}`), 11, metrics.ErrMissing, "experiment has no successes"},
		"negative":        {arms(`{"requests":-1,"successes":-1}`, fine), 11, analysis.ErrBucket, "a count of -1"},
		"too good":        {arms(fine, `{"requests":1,"successes":2}`), 11, analysis.ErrBucket, "experiment has 2 successes of 1 requests"},
		"late":            {good("10"), 15, analysis.ErrClocks, "it ended 4s ago, and with.delay is 1s"},
		"from the future": {good("10"), 8, analysis.ErrClocks, "it ends 3s from now"},
		"again":           {good("00"), 1, analysis.ErrOrder, "line 2 of the command: bucket is late or overlaps: it starts at 2026-05-04T12:00:00Z"},
	} {
		read := metrics.Lines(time.Second, mishap.SuccessRate)
		if b, err := read(good("00"), at(1)); b == nil || err != nil {
			t.Fatalf("first line: %v, %v", b, err)
		}
		b, err := read(c.line, at(c.after))
		if b != nil {
			t.Errorf("%s: bucket %v", name, b)
		}
		t.Run(name, func(t *testing.T) { complains(t, err, c.kind, c.words) })
		b, err = read(good("20"), at(21))
		if b == nil || b.Experiment.Requests != 6 {
			t.Errorf("%s: then bucket %v, %v", name, b, err)
		}
		var gap *metrics.Gap
		if !errors.As(err, &gap) || !gap.Start.Equal(at(1)) || !gap.End.Equal(at(20)) {
			t.Errorf("%s: the time between is not missing: %v", name, err)
		}
	}
}

func TestHistogramsOfACommandKeepTheirBounds(t *testing.T) {
	read := metrics.Lines(time.Second, mishap.Latency)
	line := func(second, bounds, counts string) string {
		h := `{"latency":{"bounds":` + bounds + `,"counts":` + counts + `}}`
		return `{"start":"2026-05-04T12:00:` + second + `Z","width":"1s","control":` + h + `,"experiment":` + h + `}`
	}
	if b, err := read(line("00", "[0.1,1]", "[1,2,3]"), at(1)); err != nil || b.Control.Latency.Counts[2] != 3 {
		t.Errorf("histogram: %v, %v", b, err)
	}
	for _, c := range []struct {
		bounds, counts string
		kind           error
		words          string
	}{
		{"[0.1,2]", "[1,2,3]", analysis.ErrScheme, "they were [0.1 1] and are [0.1 2]"},
		{"[0.1,1]", "[1,2]", analysis.ErrBucket, "2 bounds and 2 counts"},
		{"[1,0.1]", "[1,2,3]", analysis.ErrBucket, "bound 0.1 after 1"},
		{"[0.1,1]", "[1,-2,3]", analysis.ErrBucket, "count of -2"},
		{"[]", "[1]", analysis.ErrBucket, "0 bounds"},
	} {
		_, err := read(line("01", c.bounds, c.counts), at(2))
		complains(t, err, c.kind, c.words)
	}
}

func TestParametersOfACommandAreChecked(t *testing.T) {
	_, err := build(metrics.Deps{}, "command", mishap.SuccessRate, object{"argv": []string{""}, "env": object{"A=B": "x"}, "delay": "1h"})
	if got := problems(err); !slices.Equal(got, []string{"with.argv", "with.env.A=B", "with.delay"}) {
		t.Errorf("problems at %v: %v", got, err)
	}
	_, err = build(metrics.Deps{}, "command", mishap.SuccessRate, object{"argv": []string{"a\x00"}})
	if got := problems(err); !slices.Equal(got, []string{"with.argv[0]"}) {
		t.Errorf("problems at %v: %v", got, err)
	}
	_, err = build(metrics.Deps{}, "command", mishap.SuccessRate, object{"argc": 1}) // it is read as argv
	if got := problems(err); !slices.Equal(got, []string{"with.argc", "with.argc"}) {
		t.Errorf("problems at %v: %v", got, err)
	}
}
