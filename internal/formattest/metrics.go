package formattest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// KeptMetrics fails where a page in the text format of Prometheus lacks a metric
// of the fixture, or one of its labels, or has it as another type. A line of the
// fixture is "NAME TYPE LABEL…".
func KeptMetrics(t testing.TB, name, page string) {
	t.Helper()
	now := metricsOf(page)
	for line := range strings.Lines(string(Read(t, name))) {
		want := strings.Fields(line)
		have, there := now[want[0]]
		if !there {
			t.Errorf("%s: metric %s is gone; today's are:\n%s", name, want[0], listed(now))
			continue
		}
		for _, word := range want[1:] {
			if !slices.Contains(have, word) {
				t.Errorf("%s: metric %s was of type and labels %v, and is %v", name, want[0], want[1:], have)
				break
			}
		}
	}
}

// metricsOf gives the type and the labels of each metric on a page.
func metricsOf(page string) map[string][]string {
	all := map[string][]string{}
	label := regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)
	family := ""
	for line := range strings.Lines(page) {
		if words := strings.Fields(line); len(words) == 4 && words[1] == "TYPE" {
			family = words[2]
			all[family] = []string{words[3]}
			continue
		}
		if family == "" || !strings.HasPrefix(line, family) {
			continue
		}
		for _, found := range label.FindAllStringSubmatch(line, -1) {
			if l := found[1]; l != "le" && !slices.Contains(all[family], l) {
				all[family] = append(all[family], l)
			}
		}
	}
	return all
}

func listed(all map[string][]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text.WriteString(name + " " + strings.Join(all[name], " ") + "\n")
	}
	return text.String()
}
