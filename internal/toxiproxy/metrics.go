package toxiproxy

import (
	"mishap/internal/proxy/stream"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is GET /metrics: what Toxiproxy has with -proxy-metrics and -runtime-metrics. Bytes count as they pass, and not
// only when their connection is over.
func (c *collection) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newCounted(c))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})
}

// counted are the bytes of all proxies, for Prometheus.
type counted struct {
	proxies        *collection
	received, sent *prometheus.Desc
}

func newCounted(c *collection) counted {
	labels := []string{"direction", "proxy", "listener", "upstream"}
	return counted{c,
		prometheus.NewDesc("toxiproxy_proxy_received_bytes_total", "Bytes that the proxy received.", labels, nil),
		prometheus.NewDesc("toxiproxy_proxy_sent_bytes_total", "Bytes that the proxy sent on.", labels, nil),
	}
}

// Describe names the metrics.
func (m counted) Describe(to chan<- *prometheus.Desc) { to <- m.received; to <- m.sent }

// Collect gives the bytes of the moment.
func (m counted) Collect(to chan<- prometheus.Metric) {
	for _, v := range m.proxies.all() {
		t := m.proxies.host.Traffic(v.Name)
		for direction, b := range map[string]stream.Bytes{"upstream": t.Up, "downstream": t.Down} {
			labels := []string{direction, v.Name, v.Listen, v.Upstream}
			to <- counter(m.received, b.Received, labels)
			to <- counter(m.sent, b.Sent, labels)
		}
	}
}

// counter is one sample; a name that Prometheus does not take fails the scrape, and nothing else.
func counter(d *prometheus.Desc, n uint64, labels []string) prometheus.Metric {
	metric, err := prometheus.NewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return metric
}

// all copies what is shown of every proxy.
func (c *collection) all() []view {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []view
	for _, e := range c.proxies {
		list = append(list, c.view(e))
	}
	return list
}
