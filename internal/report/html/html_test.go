package html_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/html"
	"mishap/internal/report/reporttest"
)

func TestPageFetchesNothingRunsNothingAndEscapesEverything(t *testing.T) {
	for name, s := range reporttest.EveryStory(t) {
		harmlessPage(t, name, page(t, s))
	}
}

func TestPageSaysClaimAndVerdictBeforeAnyPicture(t *testing.T) {
	for name, want := range map[string][]string{
		"harmed":   {"Deviated", "Customers can still check out when payments answers 300 ms late.", "The claim did not hold.", "harm is shown"},
		"held":     {"Held", "The claim held."},
		"few":      {"Inconclusive", "Nothing was shown"},
		"refused":  {"Refused", "it touched nothing", "it is Monday 10:00"},
		"stranded": {"Stranded", "Still in", "mishap revert 7f3a91c2"},
	} {
		before, _, _ := strings.Cut(page(t, reporttest.EveryStory(t)[name]), "<figure")
		for _, one := range want {
			if !strings.Contains(strings.ToLower(before), strings.ToLower(one)) {
				t.Errorf("%s does not say %q first", name, one)
			}
		}
	}
}

func TestPageHasAPictureOfEverythingThatWasMeasured(t *testing.T) {
	for name, want := range map[string][]string{
		"harmed":      {"failed", "traffic", "p50", "difference-0", "proof", "latency", "probes", "recovery", "delay-1"},
		"gone-silent": {"failed", "proof", "latency"},
		"held":        {"probes", "recovery"},
		"refused":     nil,
	} {
		text := page(t, reporttest.EveryStory(t)[name])
		for _, id := range want {
			if !strings.Contains(text, `id="`+id+`"><figcaption>`) {
				t.Errorf("%s has no picture %s", name, id)
			}
		}
		if n := strings.Count(text, "<figure"); want == nil && n > 0 {
			t.Errorf("%s has %d pictures of nothing", name, n)
		}
	}
	if text := page(t, reporttest.EveryStory(t)["held"]); strings.Contains(text, `id="delay-0"`) || !strings.Contains(text, "delivered p50 301ms") {
		t.Error("what was looked at at one moment is a picture, or is not said")
	}
	if text := page(t, reporttest.EveryStory(t)["cleared"]); !strings.Contains(text, "gaps exponential, jitter present") || !strings.Contains(text, "10 times") {
		t.Error("what callers did is not there")
	}
}

func TestPageHoldsTheWholeJournal(t *testing.T) {
	s := reporttest.Scenes()["harmed"].Journal(t)
	_, rest, _ := strings.Cut(page(t, s), `href="data:application/gzip;base64,`)
	packed, _, _ := strings.Cut(rest, `"`)
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(packed, "&#43;", "+"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := report.ReadJournal(z)
	if err != nil {
		t.Fatal(err)
	}
	back, err := mishap.Replay(entries)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reporttest.Text(t, s.Run(t)), reporttest.Text(t, back)); diff != "" {
		t.Error(diff)
	}
}

func TestPageOfAnyPrefixOfAJournalIsWritten(t *testing.T) {
	for _, name := range []string{"harmed", "stranded"} {
		s := reporttest.EveryStory(t)[name]
		for i := range s.Entries {
			if e := s.Entries[i]; e.State == nil && e.Injection == nil && i%40 != 0 {
				continue
			}
			var out bytes.Buffer
			if err := html.Run(&out, s.Entries[:i+1], "v1"); err != nil {
				t.Fatalf("%s after entry %d: %v", name, i+1, err)
			}
			harmlessPage(t, name, out.String())
		}
	}
	if err := html.Run(&bytes.Buffer{}, nil, "v1"); err == nil {
		t.Error("no entries give a page")
	}
}

// FuzzPage lets a look hold any numbers: the page must stay one.
func FuzzPage(f *testing.F) {
	f.Add(0.5, -1.0, 2.0, int64(5), int64(50), "latency")
	f.Add(1e300, 1e-300, -1e300, int64(-5), int64(0), "<b>")
	f.Fuzz(func(t *testing.T, a, b, c float64, n, m int64, name string) {
		s := reporttest.Tell(reporttest.Scenes()["harmed"].Plan(t)).State(mishap.Checking, "", "").State(mishap.Injecting, "", "").State(mishap.Holding, "", "")
		look := mishap.MetricLook{
			Name: strings.ToValidUTF8(name, ""), Harm: a, Clear: b, Difference: &mishap.Interval{Low: a, Estimate: b, High: c}, Ratio: &mishap.Interval{Low: c, Estimate: a, High: b},
			Control: mishap.ArmLook{Requests: n, Successes: m}, Experiment: mishap.ArmLook{Requests: m, Successes: n, Bounds: []float64{a, b}, Counts: []int64{n, m, n}},
		}
		look.Total = mishap.ArmsLook{Control: look.Experiment, Experiment: look.Experiment}
		entry := mishap.Entry{Comparison: &mishap.Comparison{Phase: mishap.InHold, Start: s.At, Width: mishap.Duration(n), Harm: a, Extra: b, Metrics: []mishap.MetricLook{look, {Name: "success-rate", Control: look.Control, Total: look.Total, Difference: look.Difference}}}}
		s.Add(entry).Add(entry)
		var out bytes.Buffer
		if err := html.Run(&out, s.Entries, "v1"); err != nil {
			return // numbers that JSON has no word for are in no journal
		}
		if name == "" || !strings.Contains("NaN Inf <script <b> javascript: ZgotmplZ", name) {
			harmlessPage(t, "fuzzed", out.String())
		}
		reporttest.Text(t, s.Run(t))
	})
}
