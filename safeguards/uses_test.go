package safeguards_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mishap"
	"mishap/internal/usestest"
	"mishap/probes"
	"mishap/safeguards"
)

// The policy of a server asks what a safeguard declares, and nothing else.
func TestEverySafeguardUsesWhatItDeclares(t *testing.T) {
	var kinds []mishap.Kind
	cases := map[string]usestest.Cases{"calendar": calendarUses, "probe": probeUses,
		"window": func(t *testing.T) map[string]usestest.Case {
			return map[string]usestest.Case{"all": asked(t, "window", map[string]any{"days": "Mon-Fri", "hours": "00:00-24:00", "timezone": "Europe/London"})}
		}}
	for _, k := range safeguards.Catalog(deps()) {
		kinds = append(kinds, k.Kind)
		if k.Always {
			cases[k.Name] = func(t *testing.T) map[string]usestest.Case {
				return map[string]usestest.Case{"all": asked(t, k.Name, always(k.Name))}
			}
		}
	}
	usestest.Every(t, kinds, cases)
}

// always is the parameters of a safeguard that is always asked.
func always(name string) any {
	if name == "irreversible" {
		return map[string]bool{"allow": true}
	}
	return nil
}

// asked is the case of a safeguard that is asked once, and must say yes.
func asked(t *testing.T, name string, with any) usestest.Case {
	t.Helper()
	d := deps()
	d.Probe = func(spec mishap.ProbeSpec) (mishap.Probe, error) { return probe(spec.Probe).New(spec) }
	d.ProbeUses = func(spec mishap.ProbeSpec) (mishap.Uses, error) { return probe(spec.Probe).Uses(spec) }
	raw, _ := json.Marshal(with)
	for _, k := range safeguards.Catalog(d) {
		if k.Name != name {
			continue
		}
		declared, err := k.Uses(raw)
		if err != nil {
			t.Fatal(err)
		}
		return usestest.Case{Kind: "safeguard " + name, With: raw, Declared: declared, Work: func() {
			g, err := k.New(raw)
			if err != nil {
				t.Fatal(err)
			}
			situation := plan(on("process", "b:7:1"))
			situation.Plan.Experiment.BlastRadius.Targets = 1
			situation.Plan.Experiment.Faults = []mishap.Fault{{For: mishap.Duration(time.Minute)}}
			if err := g.Check(context.Background(), situation); err != nil {
				t.Errorf("it says no: %v", err)
			}
		}}
	}
	t.Fatalf("no safeguard %s", name)
	return usestest.Case{}
}

func probe(name string) mishap.ProbeKind {
	for _, k := range probes.Catalog(probes.Deps{}) {
		if k.Name == name {
			return k
		}
	}
	panic("no probe " + name)
}

func probeUses(t *testing.T) map[string]usestest.Case {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]usestest.Case{"all": asked(t, "probe", map[string]any{
		"probe": "exec", "with": map[string]any{"argv": []string{"cat"}, "stdin": map[string]string{"file": file}}, "expect": map[string]string{"stdout": "text"}, "timeout": "4s",
	})}
}

func calendarUses(t *testing.T) map[string]usestest.Case {
	const text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:A\r\nDTSTART;TZID=Asia/Tokyo:20200302T100000\r\nDURATION:PT2H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	t.Cleanup(feed.Close)
	file := filepath.Join(t.TempDir(), "calendar.ics")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]usestest.Case{
		"dates": asked(t, "calendar", map[string]any{"dates": []string{"2020-01-01"}, "timezone": "Europe/London", "during": "refuse"}),
		"file":  asked(t, "calendar", map[string]any{"file": file, "timezone": "UTC"}),
		"url":   asked(t, "calendar", map[string]any{"url": feed.URL + "/a.ics", "timezone": "UTC"}),
	}
}
