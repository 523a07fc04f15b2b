package control

import (
	"fmt"
	"strconv"

	"mishap/internal/proxy/registry"
)

// arms writes what the proxy knows of arms: of those that it assigns, and of faults that are confined to one. There are two
// arms of one run on a proxy, so that the series are few.
func (p *metricsPage) arms(list []registry.Measured) {
	p.perArm(list, "mishap_proxy_arm_requests_total", "Requests of closed buckets, by arm.", func(m registry.Measured, arm int) (float64, bool) {
		return float64(m.Arms[arm].Requests), m.Stats.Allocation != nil
	})
	p.perArm(list, "mishap_proxy_arm_successes_total", "Of those, successes.", func(m registry.Measured, arm int) (float64, bool) {
		return float64(m.Arms[arm].Successes), m.Stats.Allocation != nil
	})
	p.perArm(list, "mishap_proxy_arm_units_total", "Units that came for the first time, by arm.", func(m registry.Measured, arm int) (float64, bool) {
		if m.Stats.Allocation == nil {
			return 0, false
		}
		return float64([...]registry.ArmUnits{m.Stats.Allocation.Control, m.Stats.Allocation.Experiment}[arm].Units), true
	})
	p.family("mishap_proxy_arms_skipped_total", "counter", "Requests in neither arm, by why.")
	for _, m := range list {
		if a := m.Stats.Allocation; a != nil {
			p.sample("", labels(m)+`,why="outside"`, float64(a.Outside))
			p.sample("", labels(m)+`,why="without key"`, float64(a.WithoutKey))
			p.sample("", labels(m)+`,why="too long"`, float64(a.TooLong))
		}
	}
	p.perArm(list, "mishap_proxy_fault_arm_treated_total", "Requests that a fault confined to an arm hit, by arm.", func(m registry.Measured, arm int) (float64, bool) {
		return effectOf(m, arm, func(e registry.ArmEffect) uint64 { return e.Treated })
	})
	p.perArm(list, "mishap_proxy_fault_arm_passed_total", "Requests that it let pass, by arm.", func(m registry.Measured, arm int) (float64, bool) {
		return effectOf(m, arm, func(e registry.ArmEffect) uint64 { return e.Passed })
	})
	p.family("mishap_proxy_arm_latency_seconds", "histogram", "To the last byte of the answer, by arm; failures are above all bounds.")
	for _, m := range list {
		if m.Stats.Allocation != nil {
			p.armLatency(m)
		}
	}
}

func effectOf(m registry.Measured, arm int, of func(registry.ArmEffect) uint64) (float64, bool) {
	if m.Stats.Arms == nil {
		return 0, false
	}
	return float64(of([...]registry.ArmEffect{m.Stats.Arms.Control, m.Stats.Arms.Experiment}[arm])), true
}

func (p *metricsPage) perArm(list []registry.Measured, name, help string, value func(m registry.Measured, arm int) (float64, bool)) {
	p.family(name, "counter", help)
	for _, m := range list {
		for arm := range 2 {
			if v, ok := value(m, arm); ok {
				p.sample("", armLabels(m, arm), v)
			}
		}
	}
}

func armLabels(m registry.Measured, arm int) string {
	return fmt.Sprintf("%s,arm=%q", labels(m), [...]string{"control", "experiment"}[arm])
}

// armLatency writes every fourth bin, so that a bound is twice the one before.
func (p *metricsPage) armLatency(m registry.Measured) {
	for arm := range 2 {
		sum, labels := uint64(0), armLabels(m, arm)
		for bin, n := range m.Arms[arm].Latency {
			sum += n
			if bound, bounded := m.Arms[arm].Bound(bin); bounded && bin%4 == 0 {
				p.sample("_bucket", labels+fmt.Sprintf(",le=%q", strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)), float64(sum))
			}
		}
		p.sample("_bucket", labels+`,le="+Inf"`, float64(sum))
		p.sample("_count", labels, float64(sum))
	}
}
