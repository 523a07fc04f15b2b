package main

import "slices"

// row is a line of the table: one number for each proxy and round.
type row struct {
	name     string
	format   string
	compute  func(r round, target string) (float64, bool)
	target   bound
	moonshot bound
	report   bool // of what the machine's other work decides: reported, never judged
}

// bound is what a number should be. The zero bound asks for nothing.
type bound struct {
	text string
	ok   func(float64) bool
}

func atLeast(text string, least float64) bound {
	return bound{text, func(x float64) bool { return x >= least }}
}

func atMost(text string, most float64) bound {
	return bound{text, func(x float64) bool { return x <= most }}
}

// round is what was measured in one round, by target.
type round map[string]values

func (r round) get(target, metric string) (float64, bool) {
	x, ok := r[target][metric]
	return x, ok
}

// plain is the number itself.
func plain(metric string) func(round, string) (float64, bool) {
	return func(r round, t string) (float64, bool) { return r.get(t, metric) }
}

// ratio is the number over that of a base in the same round.
func ratio(metric, base string) func(round, string) (float64, bool) {
	return func(r round, t string) (float64, bool) {
		x, ok := r.get(t, metric)
		y, have := r.get(base, metric)
		return x / y, ok && have && y != 0 && t != base
	}
}

// between is the number over another number of the same target.
func between(metric, over string) func(round, string) (float64, bool) {
	return func(r round, t string) (float64, bool) {
		x, ok := r.get(t, metric)
		y, have := r.get(t, over)
		return x / y, ok && have && y != 0
	}
}

// less is the number less that of a base in the same round.
func less(metric, base string) func(round, string) (float64, bool) {
	return func(r round, t string) (float64, bool) {
		x, ok := r.get(t, metric)
		y, have := r.get(base, metric)
		return x - y, ok && have && t != base
	}
}

// addedRatio is what a target adds to direct over what toxiproxy adds.
func addedRatio(metric string) func(round, string) (float64, bool) {
	return func(r round, t string) (float64, bool) {
		x, ok := less(metric, "direct")(r, t)
		y, have := less(metric, "direct")(r, "toxiproxy")
		return x / y, ok && have && y > 0 && t != "toxiproxy"
	}
}

const (
	direct = "direct"
	toxi   = "toxiproxy"
)

// rows are the table. The bounds are the project's own.
func rows() []row {
	return slices.Concat(offRows(), onRows(), behaviourRows(), httpRows())
}

func offRows() []row {
	return []row{
		{"fault off, bulk 1 conn, x direct", "%.3f", ratio("bulk1", direct), atLeast(">= 0.50", 0.5), atLeast(">= 0.60", 0.6), false},
		{"fault off, bulk 8 conns, x direct", "%.3f", ratio("bulk8", direct), atLeast(">= 0.55", 0.55), atLeast(">= 0.60", 0.6), false},
		{"fault off, bulk 1 conn, x toxiproxy", "%.2f", ratio("bulk1", toxi), atLeast(">= 3.5", 3.5), atLeast(">= 4.5", 4.5), false},
		{"fault off, bulk 8 conns, x toxiproxy", "%.2f", ratio("bulk8", toxi), atLeast(">= 3.5", 3.5), atLeast(">= 4.5", 4.5), false},
		{"fault off, bulk 1 conn, CPU per GB, x toxiproxy", "%.3f", ratio("bulk1-cpu", toxi), atMost("<= 0.12", 0.12), atMost("<= 0.08", 0.08), false},
		{"fault off, bulk 8 conns, CPU per GB, x toxiproxy", "%.3f", ratio("bulk8-cpu", toxi), atMost("<= 0.12", 0.12), atMost("<= 0.08", 0.08), false},
		{"fault off, wrk 32 conns, x direct", "%.3f", ratio("wrk32", direct), bound{}, atLeast(">= 0.45", 0.45), false},
		{"fault off, wrk 32 conns, x toxiproxy", "%.2f", ratio("wrk32", toxi), atLeast(">= 1.25", 1.25), atLeast(">= 1.35", 1.35), false},
		{"fault off, wrk 32 conns, CPU per request, x toxiproxy", "%.2f", ratio("wrk32-cpu", toxi), bound{}, bound{}, false},
		{"fault off, wrk 1 conn, x toxiproxy", "%.2f", ratio("wrk1", toxi), atLeast(">= 1.5", 1.5), atLeast(">= 3", 3), false},
		{"fault off, added p50 at 1,000/s, x toxiproxy", "%.2f", addedRatio("added-p50"), atMost("<= 1.0", 1), atMost("<= 0.35", 0.35), false},
		{"fault off, added p50 at 1,000/s, µs", "%.0f", less("added-p50", direct), bound{}, bound{}, true},
		{"connection set-up, x direct", "%.3f", ratio("setup", direct), bound{}, atLeast(">= 0.6", 0.6), false},
		{"connection set-up, x toxiproxy", "%.2f", ratio("setup", toxi), atLeast(">= 2.2", 2.2), bound{}, false},
		{"idle connection, RSS, KiB", "%.1f", plain("idle-rss"), bound{}, bound{}, false},
		{"idle connection, RSS, x toxiproxy", "%.3f", ratio("idle-rss", toxi), atMost("<= 0.35", 0.35), atMost("<= 0.1", 0.1), false},
		{"idle connection, files", "%.2f", plain("idle-files"), atMost("2", 2.01), atMost("2", 2.01), false},
	}
}

func onRows() []row {
	early := "p50 <= toxiproxy + 50 µs"
	return []row{
		{"50 ms, bulk 1 conn, x toxiproxy", "%.2f", ratio("bulk1-50ms", toxi), atLeast(">= 1.8", 1.8), atLeast(">= 3", 3), false},
		{"50 ms, bulk 8 conns, x toxiproxy", "%.2f", ratio("bulk8-50ms", toxi), atLeast(">= 1.25", 1.25), atLeast(">= 2", 2), false},
		{"250 ms, bulk 1 conn, x toxiproxy", "%.2f", ratio("bulk1-250ms", toxi), atLeast(">= 7", 7), atLeast(">= 13", 13), false},
		{"bulk at 250 ms / bulk at 5 ms, 1 conn", "%.3f", between("bulk1-250ms", "bulk1-5ms"), atLeast(">= 0.85", 0.85), atLeast(">= 0.95", 0.95), false},
		{"5 ms, bulk 1 conn, CPU per GB, x toxiproxy", "%.2f", ratio("bulk1-5ms-cpu", toxi), atMost("<= 0.65", 0.65), atMost("<= 0.3", 0.3), false},
		{"50 ms, bulk 1 conn, CPU per GB, x toxiproxy", "%.2f", ratio("bulk1-50ms-cpu", toxi), atMost("<= 0.65", 0.65), atMost("<= 0.3", 0.3), false},
		{"50 ms, bulk 8 conns, CPU per GB, x toxiproxy", "%.2f", ratio("bulk8-50ms-cpu", toxi), atMost("<= 0.65", 0.65), atMost("<= 0.3", 0.3), false},
		{"250 ms, bulk 1 conn, CPU per GB, x toxiproxy", "%.2f", ratio("bulk1-250ms-cpu", toxi), atMost("<= 0.65", 0.65), atMost("<= 0.3", 0.3), false},
		{"5 ms, 200/s, net p50 error, µs over toxiproxy's", "%+.0f", less("low-5ms-net-p50", toxi), atMost(early, 50), bound{}, false},
		{"100 ms, 200/s, net p50 error, µs over toxiproxy's", "%+.0f", less("low-100ms-net-p50", toxi), atMost(early, 50), bound{}, false},
		{"5 ms, 200/s, net p50 error, µs", "%.0f", plain("low-5ms-net-p50"), bound{}, bound{}, true},
		{"100 ms, 200/s, net p50 error, µs", "%.0f", plain("low-100ms-net-p50"), bound{}, bound{}, true},
		{"5 ms, 200/s, net p90 error, µs", "%.0f", plain("low-5ms-net-p90"), bound{}, bound{}, true},
		{"100 ms, 200/s, net p90 error, µs", "%.0f", plain("low-100ms-net-p90"), bound{}, bound{}, true},
		{"5 ms, 200/s, net p99 error, x toxiproxy", "%.2f", ratio("low-5ms-net-p99", toxi), bound{}, atMost("<= 0.5", 0.5), true},
		{"100 ms, 200/s, net p99 error, x toxiproxy", "%.2f", ratio("low-100ms-net-p99", toxi), bound{}, atMost("<= 0.5", 0.5), true},
		{"5 ms, 2,000/s, raw p90 error, x toxiproxy", "%.2f", ratio("2000-5ms-raw-p90", toxi), atMost("<= 0.6", 0.6), atMost("<= 0.3", 0.3), false},
		{"50 ms, 2,000/s, raw p90 error, x toxiproxy", "%.2f", ratio("2000-50ms-raw-p90", toxi), atMost("<= 0.6", 0.6), atMost("<= 0.3", 0.3), false},
		{"5 ms, 2,000/s, raw p90 error, µs", "%.0f", plain("2000-5ms-raw-p90"), bound{}, bound{}, true},
		{"50 ms, 2,000/s, raw p90 error, µs", "%.0f", plain("2000-50ms-raw-p90"), bound{}, bound{}, true},
		{"5 ms, 2,000/s, raw p50 error, µs", "%.0f", plain("2000-5ms-raw-p50"), bound{}, bound{}, true},
		{"250 ms, 40,000 msg/s, p50 overshoot, ms", "%.2f", plain("paced-p50"), bound{}, bound{}, true},
		{"250 ms, 40,000 msg/s, p99 overshoot, ms", "%.1f", plain("paced-p99"), bound{}, bound{}, true},
		{"250 ms, 40,000 msg/s, p99 overshoot, x toxiproxy", "%.3f", ratio("paced-p99", toxi), atMost("<= 0.45", 0.45), atMost("<= 0.1", 0.1), true},
	}
}

func behaviourRows() []row {
	all := atLeast("100 of 100 <= 50 ms", 100)
	return []row{
		{"switch 9,000 conns, API adds, ms", "%.1f", plain("switch-add"), bound{}, bound{}, false},
		{"switch 9,000 conns, API adds, x toxiproxy", "%.3f", ratio("switch-add", toxi), atMost("<= 0.6", 0.6), atMost("<= 0.1", 0.1), false},
		{"switch 9,000 conns, API removes, x toxiproxy", "%.3f", ratio("switch-remove", toxi), atMost("<= 0.6", 0.6), atMost("<= 0.1", 0.1), false},
		{"switch 9,000 conns, in force on all, ms", "%.1f", plain("switch-all"), bound{}, bound{}, true},
		{"API with a stalled client, answers of 100", "%.0f", plain("stalled-ok"), atLeast("100", 100), atLeast("100", 100), false},
		{"API with a stalled client, answers within 50 ms", "%.0f", plain("stalled-fast"), all, bound{}, false},
		{"API with a stalled client, worst, ms", "%.1f", plain("stalled-worst"), bound{}, atMost("<= 5", 5), false},
		{"add/remove right after bulk clients leave, hangs", "%.0f", plain("leave-hung"), atMost("0 of 200", 0), bound{text: "0 of 10,000: make bench-proxy-hangs"}, false},
		{"half-close, RST both ways, refused", "%.0f of 4", plain("semantics"), atLeast("4 of 4", 4), atLeast("4 of 4", 4), false},
	}
}
