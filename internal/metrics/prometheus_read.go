package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mishap/internal/analysis"
	"mishap/internal/prometheus"
)

// found is a sample, or why it is none.
type found struct {
	sample
	err error
}

// read asks for the samples of the last while, with the names of their labels.
func (c *promCounts) read(ctx context.Context, i int, look time.Duration) ([]found, map[string]bool, error) {
	a := c.asks[i]
	if a.role == latencies {
		return c.readHistograms(ctx, i, look)
	}
	series, err := c.client.query(ctx, rangeOf(a.pick, look), time.Time{})
	if err != nil {
		return nil, nil, err
	}
	var all []found
	names := map[string]bool{}
	for _, one := range series {
		arm, ok := a.armOf(one.Metric)
		if !ok {
			continue
		}
		for name := range one.Metric {
			names[name] = true
		}
		proto := sample{target: targetOf(one.Metric), series: a.path + " " + labelText(one.Metric, ""), unit: a.unitOf(one.Metric), arm: arm}
		for _, value := range one.Values {
			s := found{sample: proto}
			var n int64
			s.at, n, s.err = readCount(value, proto.series)
			switch a.role {
			case requests:
				s.total.Requests = n
			case failures:
				s.total.Successes = n
			default:
				s.total.Events = n
			}
			all = append(all, s)
		}
	}
	return all, names, nil
}

// rangeOf asks for all samples of the last while.
func rangeOf(s selector, look time.Duration) string {
	return fmt.Sprintf("%s[%dms]", s, look.Milliseconds())
}

// targetOf is what is scraped as a whole.
func targetOf(labels map[string]string) string { return labels["job"] + "/" + labels["instance"] }

// labelText names a series, without one of its labels.
func labelText(labels map[string]string, without string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "__name__" && name != without {
			all = append(all, name+"="+strconv.Quote(labels[name]))
		}
	}
	return labels["__name__"] + "{" + strings.Join(all, ",") + "}"
}

// readCount reads a time and a whole number.
func readCount(value prometheus.Sample, series string) (time.Time, int64, error) {
	at, v, err := readValue(value)
	if err != nil {
		return at, 0, fmt.Errorf("%s: %w", series, err)
	}
	n, err := counted(v)
	if err != nil {
		return at, 0, fmt.Errorf("%s: %w", series, err)
	}
	return at, n, nil
}

func readValue(value prometheus.Sample) (time.Time, float64, error) {
	at, err := readTime(value[0])
	if err != nil {
		return at, 0, err
	}
	var text string
	if err := json.Unmarshal(value[1], &text); err != nil {
		return at, 0, fmt.Errorf("read value: %w", err)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xX_") {
		return at, 0, fmt.Errorf("%w: read value: %q is not a number", analysis.ErrBucket, text)
	}
	return at, v, nil
}

// readTime reads seconds since 1970, which have three decimals.
func readTime(raw json.RawMessage) (time.Time, error) {
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err != nil {
		return time.Time{}, fmt.Errorf("read time: %w", err)
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
}
