package control

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mishap/internal/proxy/registry"
)

// metricBounds are the buckets of the delays in the metrics.
func metricBounds() []time.Duration {
	const ms = time.Millisecond
	return []time.Duration{ms / 4, ms, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms, 1000 * ms, 2500 * ms,
		5000 * ms, 10_000 * ms, 30_000 * ms, 60_000 * ms}
}

// metrics writes the state in the text format of Prometheus, version 0.0.4.
func (a *API) metrics(w http.ResponseWriter, _ *http.Request) {
	var page metricsPage
	proxies, faults := a.Proxies(), a.Faults.Measured()
	held, limit := a.Held()
	page.family("mishap_proxy_open", "gauge", "Connections, or clients of datagrams, now.")
	for _, p := range proxies {
		page.sample("", fmt.Sprintf("proxy=%q", p.Name), float64(p.Open))
	}
	page.family("mishap_proxy_connections_total", "counter", "Connections, or clients of datagrams, since the start.")
	for _, p := range proxies {
		page.sample("", fmt.Sprintf("proxy=%q", p.Name), float64(p.Total))
	}
	page.family("mishap_proxy_unreachable_total", "counter", "Connections, or datagrams, that did not reach the upstream.")
	for _, p := range proxies {
		page.sample("", fmt.Sprintf("proxy=%q", p.Name), float64(p.Refused))
	}
	page.family("mishap_proxy_held_bytes", "gauge", "What delay lines hold, with their overhead.")
	page.sample("", "", float64(held))
	page.family("mishap_proxy_held_bytes_limit", "gauge", "The most that delay lines may hold.")
	page.sample("", "", float64(limit))
	page.faults(faults)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write([]byte(page.String())) // the caller may be gone
}

// metricsPage is a page of metrics.
type metricsPage struct {
	strings.Builder
	name string // of the family
}

func (p *metricsPage) family(name, kind, help string) {
	p.name = name
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *metricsPage) sample(suffix, labels string, value float64) {
	if labels != "" {
		labels = "{" + labels + "}"
	}
	fmt.Fprintf(p, "%s%s%s %s\n", p.name, suffix, labels, strconv.FormatFloat(value, 'g', -1, 64))
}

// faults writes what the faults in force did. When a fault ends its series do.
func (p *metricsPage) faults(list []registry.Measured) {
	for _, m := range []struct {
		name, kind, help string
		value            func(registry.Stats) float64
	}{
		{"open_hit", "gauge", "Open connections that the fault is meant for.", func(s registry.Stats) float64 { return float64(s.InForceOn.Of) }},
		{"open_in_force", "gauge", "Open connections on which it is in force.", func(s registry.Stats) float64 { return float64(s.InForceOn.Connections) }},
		{"connections_total", "counter", "Connections that it held up, changed or ended.", func(s registry.Stats) float64 { return float64(s.Connections) }},
		{"bytes_total", "counter", "Bytes that left when they were due.", func(s registry.Stats) float64 { return float64(s.Bytes) }},
		{"dropped_bytes_total", "counter", "Bytes that were lost.", func(s registry.Stats) float64 { return float64(s.Dropped) }},
		{"lost_datagrams_total", "counter", "Datagrams that were lost.", func(s registry.Stats) float64 { return float64(s.Lost) }},
		{"ended_connections_total", "counter", "Connections that it ended.", func(s registry.Stats) float64 { return float64(s.Ended) }},
		{"overflow_total", "counter", "Times that reading stopped for want of room.", func(s registry.Stats) float64 { return float64(s.Overflow) }},
	} {
		p.family("mishap_proxy_fault_"+m.name, m.kind, m.help)
		for _, f := range list {
			p.sample("", labels(f), m.value(f.Stats))
		}
	}
	p.arms(list)
	p.family("mishap_proxy_fault_requested_seconds", "histogram", "What was to wait.")
	for _, f := range list {
		p.histogram(labels(f), f.Requested)
	}
	p.family("mishap_proxy_fault_delivered_seconds", "histogram", "What it waited.")
	for _, f := range list {
		p.histogram(labels(f), f.Delivered)
	}
}

func (p *metricsPage) histogram(labels string, h registry.Histogram) {
	for _, bound := range metricBounds() {
		p.sample("_bucket", labels+fmt.Sprintf(",le=%q", strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)), float64(h.Below(bound)))
	}
	p.sample("_bucket", labels+`,le="+Inf"`, float64(h.Count))
	p.sample("_sum", labels, h.Sum.Seconds())
	p.sample("_count", labels, float64(h.Count))
}

// labels are those of a fault.
func labels(m registry.Measured) string {
	return fmt.Sprintf("proxy=%q,fault=%q,kind=%q,run=%q", m.Fault.Proxy, m.Fault.ID, m.Fault.Effect.Kind(), m.Fault.Run)
}
