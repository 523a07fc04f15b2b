package metrics_test

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

func TestEverySourceIsDescribed(t *testing.T) {
	var names []string
	for _, k := range metrics.Catalog(metrics.Deps{}) {
		names = append(names, k.Name)
		if k.Summary == "" || k.Doc == "" || k.Params == nil || k.New == nil || len(k.Metrics) == 0 {
			t.Errorf("%s is not described", k.Name)
		}
		if !strings.Contains(k.Example, "source: "+k.Name) {
			t.Errorf("the example of %s is of another one:\n%s", k.Name, k.Example)
		}
		for _, f := range reflect.VisibleFields(reflect.TypeOf(k.Params)) {
			if f.Tag.Get("json") == "" || f.Tag.Get("jsonschema") == "" {
				t.Errorf("%s: field %s has no json or jsonschema tag", k.Name, f.Name)
			}
		}
		if k.Uses == nil {
			t.Errorf("%s does not declare what it uses", k.Name)
		}
	}
	if want := []string{"command", "otlp", "prometheus", "proxy"}; !slices.Equal(names, want) {
		t.Errorf("sources %v, want %v", names, want)
	}
}

// The examples as JSON, which is what an experiment's YAML becomes.
func TestExamplesAreAccepted(t *testing.T) {
	for source, with := range map[string]object{
		"proxy":      nil,
		"command":    {"argv": []string{"./arms-from-logs", "--every", "1s"}, "delay": "2s"},
		"otlp":       {"requests": `http.server.request.duration{http.route="/checkout"}`, "failures": `http.server.request.duration{http.route="/checkout",http.response.status_code=~"5.."}`, "interval": "1s"},
		"prometheus": {"url": "http://127.0.0.1:9090", "requests": `http_requests_total{job="shop"}`, "failures": `http_requests_total{job="shop",code=~"5.."}`, "arms": object{"label": "arm", "control": "control", "experiment": "experiment"}},
	} {
		if _, err := build(deps(), source, mishap.SuccessRate, with); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// Arms of unequal size stay as they are: nothing is scaled to fit.
func TestArmsOfUnequalSizeAreGivenAsTheyAre(t *testing.T) {
	f := newFake(t)
	f.set("hits_total", `"instance":"a","arm":"control"`, 30, 0, 20, 100, 10, 200)
	f.set("hits_total", `"instance":"b","arm":"control"`, 30, 0, 20, 100, 10, 200)
	f.set("hits_total", `"instance":"a","arm":"experiment"`, 30, 0, 20, 1, 10, 3)
	got := closed(t, f.source(t, mishap.EventRate, object{"events": "hits_total"}))
	if len(got) != 1 || got[0].Control.Events != 200 || got[0].Experiment.Events != 2 {
		t.Errorf("buckets %+v", got)
	}
}

// Several metrics that poll at the same time, as a comparison does, see the same.
func TestMetricsMayAskAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		for i := range 50 {
			s.steps = append(s.steps, step{buckets: []analysis.Bucket{bucket(float64(i), int64(i))}})
		}
		f := metrics.NewFeed(s)
		got := make([][]analysis.Bucket, 3)
		var all sync.WaitGroup
		for i := range got {
			tap := f.Tap()
			all.Go(func() {
				time.Sleep(time.Duration(i) * 70 * time.Millisecond)
				for range 51 {
					more, err := tap.Closed(t.Context())
					if err != nil {
						t.Error(err)
					}
					got[i] = append(got[i], more...)
					time.Sleep(200 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if !slices.Equal(starts(got[0]), starts(got[1])) || !slices.Equal(starts(got[1]), starts(got[2])) || len(got[0]) != 50 {
			t.Errorf("%d, %d and %d buckets", len(got[0]), len(got[1]), len(got[2]))
		}
		if s.asked > 52 {
			t.Errorf("asked %d times in 51 rounds of three metrics", s.asked)
		}
	})
}
