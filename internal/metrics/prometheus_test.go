package metrics_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// fakePrometheus answers range queries from samples that were made up, and
// others from a table.
type fakePrometheus struct {
	mu      sync.Mutex
	series  map[string][]string // by metric name: labels|samples
	answers map[string]string   // by query
	status  int
	body    string        // instead of an answer
	behind  time.Duration // its clock
	noDate  bool
	asked   []string
	header  http.Header
	url     string
	now     time.Time // when samples were made up
}

func newFake(t testing.TB) *fakePrometheus {
	f := &fakePrometheus{series: map[string][]string{}, answers: map[string]string{}, now: time.Now()}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fakePrometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	query := r.PostFormValue("query")
	f.asked, f.header = append(f.asked, query), r.Header
	w.Header().Set("Date", time.Now().Add(-f.behind).UTC().Format(http.TimeFormat))
	if f.noDate {
		w.Header()["Date"] = nil
	}
	if f.status != 0 {
		w.WriteHeader(f.status)
	}
	if f.body != "" {
		_, _ = io.WriteString(w, f.body)
		return
	}
	if answer, ok := f.answers[query]; ok {
		_, _ = io.WriteString(w, answer)
		return
	}
	name, _, _ := strings.Cut(query, "{")
	var all []string
	for _, one := range f.series[name] {
		labels, samples, _ := strings.Cut(one, "|")
		all = append(all, fmt.Sprintf(`{"metric":{"__name__":%q,%s},%s}`, name, labels, samples))
	}
	_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[`+strings.Join(all, ",")+`]}}`)
}

// set gives a series its samples: so many seconds ago, and values.
func (f *fakePrometheus) set(name, labels string, samples ...any) {
	var values []string
	for i := 0; i < len(samples); i += 2 {
		when := float64(f.now.UnixMilli())/1000 - float64(samples[i].(int))
		values = append(values, fmt.Sprintf(`[%.3f,"%v"]`, when, samples[i+1]))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.series[name] = append(f.series[name], labels+`|"values":[`+strings.Join(values, ",")+`]`)
}

// both sets a counter of both arms on one target.
func (f *fakePrometheus) both(name, more string, samples ...any) {
	f.set(name, `"job":"shop","instance":"a","arm":"control"`+more, samples...)
	f.set(name, `"job":"shop","instance":"a","arm":"experiment"`+more, samples...)
}

func (f *fakePrometheus) source(t *testing.T, kind mishap.MetricKind, with object) metrics.Source {
	t.Helper()
	with["url"] = f.url
	s, err := build(deps(), "prometheus", kind, with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(t, s) })
	return s
}

func TestBucketsOfCountersLieBetweenScrapes(t *testing.T) {
	f := newFake(t)
	f.both("hits_total", `,"code":"200"`, 50, 100, 40, 110, 30, 125, 20, 150, 10, 160)
	s := f.source(t, mishap.EventRate, object{"events": `hits_total`})
	if delay, width, err := metrics.Pace(t.Context(), s); err != nil || delay != 16*time.Second || width != 10*time.Second {
		t.Errorf("delay %s, width %s, %v", delay, width, err)
	}
	got := closed(t, s) // what was read already is not lost
	if len(got) != 1 || got[0].Control.Events != 10 || got[0].Width != 10*time.Second || s.(metrics.Paced).Width() != 10*time.Second {
		t.Errorf("buckets %+v", got)
	}
	if want := 5*time.Second + 10*time.Second + 500*time.Millisecond + 500*time.Millisecond; s.Delay() != want {
		t.Errorf("delay %s, want %s", s.Delay(), want)
	}
	if f.asked[0] != `hits_total{arm=~"control|experiment"}[300000ms]` {
		t.Errorf("asked %q", f.asked)
	}
	if again := closed(t, s); len(again) > 0 {
		t.Errorf("given again: %+v", again)
	}
}

func TestNoFailuresAreGoodNewsOnlyIfTheSelectorFits(t *testing.T) {
	f := newFake(t)
	f.both("hits_total", `,"code":"200"`, 30, 100, 20, 110, 10, 125)
	// The fake ignores matchers, so that failures have a name of their own here.
	s := f.source(t, mishap.SuccessRate, object{"requests": "hits_total", "failures": `errors_total`})
	_, err := s.Closed(t.Context())
	complains(t, err, metrics.ErrMissing, "cannot be told from a wrong name")
	f.answers[`hits_total{cod="500",arm=~"control|experiment"}[300000ms]`] = `{"status":"success","data":{"resultType":"matrix","result":[]}}`
	s = f.source(t, mishap.SuccessRate, object{"requests": "hits_total", "failures": `hits_total{cod="500"}`})
	_, err = s.Closed(t.Context())
	complains(t, err, metrics.ErrMissing, `the requests have no label "cod"`)
	f.answers[`hits_total{code="500",arm=~"control|experiment"}[300000ms]`] = f.answers[`hits_total{cod="500",arm=~"control|experiment"}[300000ms]`]
	s = f.source(t, mishap.SuccessRate, object{"requests": "hits_total", "failures": `hits_total{code="500"}`})
	got := closed(t, s)
	if len(got) != 1 || got[0].Control.Requests != 15 || got[0].Control.Successes != 15 {
		t.Errorf("buckets %+v", got)
	}
}

func TestMoreFailuresThanRequestsAreRefused(t *testing.T) {
	f := newFake(t)
	f.both("hits_total", ``, 30, 100, 20, 110, 10, 125)
	f.both("errors_total", ``, 30, 0, 20, 0, 10, 20)
	s := f.source(t, mishap.SuccessRate, object{"requests": "hits_total", "failures": "errors_total"})
	got, err := s.Closed(t.Context())
	complains(t, err, analysis.ErrBucket, "20 failures of 15 requests")
	if len(got) > 0 {
		t.Errorf("buckets %+v", got)
	}
}

func TestWhatPrometheusCannotMeanIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakePrometheus)
		kind   error
		words  string
	}{
		"down":        {func(f *fakePrometheus) { f.url = "http://127.0.0.1:1" }, metrics.ErrUnavailable, "refused"},
		"proxy error": {func(f *fakePrometheus) { f.status, f.body = 502, "<html>bad gateway" }, metrics.ErrUnavailable, `status 502 and not an answer of Prometheus: "<html>bad gateway"`},
		"login":       {func(f *fakePrometheus) { f.status, f.body = 302, "see other" }, metrics.ErrUnavailable, "status 302"},
		"bad query": {func(f *fakePrometheus) {
			f.status, f.body = 400, `{"status":"error","errorType":"bad_data","error":"parse error"}`
		}, metrics.ErrUnavailable, "bad_data"},
		"partial": {func(f *fakePrometheus) {
			f.body = `{"status":"success","warnings":["store down"],"data":{"resultType":"matrix","result":[]}}`
		}, metrics.ErrUnavailable, "knows only a part"},
		"nothing":      {func(f *fakePrometheus) { f.series = nil }, metrics.ErrMissing, "no series of hits_total"},
		"behind":       {func(f *fakePrometheus) { f.behind = 30 * time.Second }, analysis.ErrClocks, "apart from ours, and 2s is tolerated"},
		"ahead":        {func(f *fakePrometheus) { f.behind = -30 * time.Second }, analysis.ErrClocks, "apart from ours"},
		"no clock":     {func(f *fakePrometheus) { f.noDate = true }, analysis.ErrClocks, "does not say what time it is"},
		"not a number": {func(f *fakePrometheus) { f.both("hits_total", `,"code":"x"`, 30, "NaN", 20, "NaN", 10, "NaN") }, analysis.ErrBucket, "NaN is not a count"},
		"a rate":       {func(f *fakePrometheus) { f.both("hits_total", `,"code":"x"`, 30, 0.5, 20, 1.5, 10, 2.5) }, analysis.ErrBucket, "0.5 is not a count"},
		"fell":         {func(f *fakePrometheus) { f.both("hits_total", `,"code":"x"`, 30, 9, 20, 10, 10, 3) }, analysis.ErrReset, `arm="control",code="x"`},
		"one arm":      {func(f *fakePrometheus) { f.series["hits_total"] = f.series["hits_total"][:1] }, metrics.ErrMissing, "no numbers of the experiment arm"},
		"once": {func(f *fakePrometheus) {
			f.series = map[string][]string{}
			f.both("hits_total", "", 5, 1)
		}, metrics.ErrMissing, "not been scraped twice"},
		"apart": {func(f *fakePrometheus) {
			f.series = map[string][]string{}
			f.set("hits_total", `"instance":"a","arm":"control"`, 30, 1, 20, 2, 10, 3)
			f.set("hits_total", `"instance":"b","arm":"experiment"`, 33, 1, 23, 2, 13, 3)
		}, analysis.ErrClocks, "they are read 3s apart"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.both("hits_total", "", 30, 1, 20, 2, 10, 3)
			c.change(f)
			s := f.source(t, mishap.EventRate, object{"events": "hits_total"})
			got, err := s.Closed(t.Context())
			complains(t, err, c.kind, c.words)
			if len(got) > 0 && name != "not a number" && name != "a rate" {
				t.Errorf("buckets %+v", got)
			}
		})
	}
}

func TestAServerThatIsDownIsNamedUntilItIsBack(t *testing.T) {
	f := newFake(t)
	f.both("hits_total", "", 30, 1, 20, 2, 10, 3)
	f.status, f.body = 503, "starting"
	s := f.source(t, mishap.EventRate, object{"events": "hits_total"})
	for range 3 { // whether it is asked again or not
		_, err := s.Closed(t.Context())
		complains(t, err, metrics.ErrUnavailable, "starting")
	}
	if len(f.asked) != 1 {
		t.Errorf("asked %d times at once", len(f.asked))
	}
	f.mu.Lock()
	f.status, f.body = 0, ""
	f.mu.Unlock()
	await(t, "a bucket", func() bool { b, err := s.Closed(t.Context()); return err == nil && len(b) == 1 })
}

func TestClassicHistogramsKeepTheirBounds(t *testing.T) {
	f := newFake(t)
	for le, last := range map[string]int{"0.1": 4, "1": 6, "+Inf": 9} {
		f.both("took_seconds_bucket", `,"le":"`+le+`"`, 30, 0, 20, 0, 10, last)
	}
	s := f.source(t, mishap.Latency, object{"histogram": `took_seconds{job="shop"}`})
	got := closed(t, s)
	if len(got) != 1 || !slices.Equal(got[0].Experiment.Latency.Bounds, []float64{0.1, 1}) || !slices.Equal(got[0].Experiment.Latency.Counts, []int64{4, 2, 3}) {
		t.Errorf("buckets %+v", got)
	}
	f = newFake(t)
	for le, last := range map[string]int{"0.1": 4, "1": 6} {
		f.both("took_seconds_bucket", `,"le":"`+le+`"`, 30, 0, 20, 0, 10, last)
	}
	_, err := f.source(t, mishap.Latency, object{"histogram": `took_seconds_bucket`}).Closed(t.Context())
	complains(t, err, analysis.ErrBucket, `without a last bin`)
	f = newFake(t)
	f.both("took_seconds_bucket", `,"le":"1"`, 30, 0, 20, 0)
	f.both("took_seconds_bucket", `,"le":"2"`, 10, 1)
	f.both("took_seconds_bucket", `,"le":"+Inf"`, 30, 0, 20, 0, 10, 5)
	_, err = f.source(t, mishap.Latency, object{"histogram": `took_seconds`}).Closed(t.Context())
	complains(t, err, analysis.ErrScheme, "")
}

func TestGaugesAreOneNumberForEachArm(t *testing.T) {
	query := "avg by (arm) (depth)"
	answer := func(values ...string) string {
		var all []string
		for i := 0; i < len(values); i += 2 {
			all = append(all, fmt.Sprintf(`{"metric":{"arm":%q},"value":[1700000000,%q]}`, values[i], values[i+1]))
		}
		return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(all, ",") + `]}}`
	}
	for name, c := range map[string]struct {
		answer, words string
	}{
		"both":    {answer("control", "3", "experiment", "4.5", "other", "9"), ""},
		"one":     {answer("control", "3"), "there is no number of the experiment arm"},
		"several": {answer("control", "3", "control", "4", "experiment", "4.5"), "several numbers for one arm; let it aggregate, such as avg by (arm)"},
		"NaN":     {answer("control", "NaN", "experiment", "4.5"), "not a number"},
		"matrix":  {`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"arm":"control"},"values":[]}]}}`, "something else than one number"},
		"string":  {`{"status":"success","data":{"resultType":"string","result":[1,"x"]}}`, "gives a string"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.answers[query] = c.answer
			s := f.source(t, mishap.Gauge, object{"gauge": query, "step": "10ms", "tolerance": "1ms"})
			f.behind = 500 * time.Millisecond // the header is cut to whole seconds
			var got []analysis.Bucket
			var err error
			await(t, "an answer", func() bool {
				got, err = s.Closed(t.Context())
				return len(got) > 0 || err != nil && !errors.Is(err, analysis.ErrClocks)
			})
			if c.words == "" {
				if err != nil || *got[0].Control.Gauge != 3 || *got[0].Experiment.Gauge != 4.5 || got[0].Width != 10*time.Millisecond {
					t.Errorf("buckets %+v, %v", got, err)
				}
				return
			}
			var gap *metrics.Gap
			if complains(t, err, nil, c.words); !errors.As(err, &gap) {
				t.Errorf("no gap: %v", err)
			}
		})
	}
}

func TestArmsMayHaveSelectorsOfTheirOwn(t *testing.T) {
	f := newFake(t)
	f.set("a_total", `"instance":"a"`, 30, 1, 20, 2, 10, 4)
	f.set("b_total", `"instance":"a"`, 30, 1, 20, 2, 10, 9)
	s := f.source(t, mishap.EventRate, object{"control": object{"events": "a_total"}, "experiment": object{"events": "b_total{}"}})
	got := closed(t, s)
	if len(got) != 1 || got[0].Control.Events != 2 || got[0].Experiment.Events != 7 {
		t.Errorf("buckets %+v", got)
	}
}

func TestSecretsOfPrometheusStaySecret(t *testing.T) {
	f := newFake(t)
	f.status, f.body = 401, "who is hunter2-is-long?"
	s := f.source(t, mishap.EventRate, object{"events": "x", "headers": object{"Authorization": object{"env": "TOKEN"}}})
	_, err := s.Closed(t.Context())
	complains(t, err, metrics.ErrUnavailable, "who is [secret]?")
	if f.header.Get("Authorization") != "hunter2-is-long" {
		t.Error("the header was not sent")
	}
}

func TestParametersOfPrometheusAreChecked(t *testing.T) {
	for _, c := range []struct {
		kind  mishap.MetricKind
		with  object
		paths []string
	}{
		{mishap.SuccessRate, object{}, []string{"with.url", "with.requests", "with.failures"}},
		{mishap.SuccessRate, object{"url": "http://h/api/v1/query", "requests": "rate(x[1m])", "failures": "x{"}, []string{"with.url", "with.requests", "with.failures"}},
		{mishap.EventRate, object{"url": "ftp://h", "events": "x", "gauge": "y", "step": "1h", "tolerance": "1h", "skew": "1h"}, []string{"with.url", "with.step", "with.tolerance", "with.skew", "with.gauge"}},
		{mishap.Latency, object{"url": "http://h", "histogram": "x", "arms": object{"label": "a b", "control": "same", "experiment": "same"}}, []string{"with.arms.label", "with.arms"}},
		{mishap.Latency, object{"url": "http://h", "control": object{"histogram": "x"}}, []string{"with.control"}},
		{mishap.Latency, object{"url": "http://h", "control": object{}, "experiment": object{"histogram": "x offset 5m"}}, []string{"with.control.histogram", "with.experiment.histogram"}},
		{mishap.Latency, object{"url": "http://h", "histogram": "x", "steps": "1s"}, []string{"with.steps"}},
		{"nonsense", object{"url": "http://h"}, []string{"metric"}},
	} {
		_, err := build(deps(), "prometheus", c.kind, c.with)
		if got := problems(err); !slices.Equal(got, c.paths) {
			t.Errorf("%v: problems at %v, want %v: %v", c.with, got, c.paths, err)
		}
	}
}

func TestArmsOnDifferentTargetsAreAcceptedIfThatIsSaid(t *testing.T) {
	f := newFake(t)
	f.set("hits_total", `"instance":"a","arm":"control"`, 33, 1, 23, 2, 13, 3)
	f.set("hits_total", `"instance":"b","arm":"experiment"`, 30, 1, 20, 2, 10, 3)
	got := closed(t, f.source(t, mishap.EventRate, object{"events": "hits_total", "skew": "3s"}))
	if len(got) != 1 || got[0].Control.Events != 1 || got[0].Experiment.Events != 1 {
		t.Errorf("buckets %+v", got)
	}
}
