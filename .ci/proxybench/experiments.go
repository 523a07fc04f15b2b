package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// experiment measures one target at a time.
type experiment struct {
	name     string
	targets  []string
	rounds   int // 0 for all
	realtime bool
	run      func(*bench, *target) (values, error)
}

// values are what an experiment measured, by metric.
type values map[string]float64

func experiments() []experiment {
	all := []string{"direct", "toxiproxy", "mishap", "nginx", "haproxy"}
	proxies, faulty := all[1:], []string{"toxiproxy", "mishap"}
	return []experiment{
		{"bulk", all, 0, false, runBulk},
		{"wrk", all, 0, false, runRequests},
		{"http", []string{asHTTP, stdlib}, 0, false, runHTTP},
		{"added", all, 0, true, runAdded},
		{"setup", all, 0, false, runSetUps},
		{"bulk-5", faulty, 0, false, delayedBulk(5*time.Millisecond, 1)},
		{"bulk-50", faulty, 0, false, delayedBulk(50*time.Millisecond, 1)},
		{"bulk-50x8", faulty, 0, false, delayedBulk(50*time.Millisecond, 8)},
		{"bulk-250", faulty, 0, false, delayedBulk(250*time.Millisecond, 1)},
		{"low-rate", faulty, 0, true, accuracy("low", 50, 200, 5*time.Millisecond, 100*time.Millisecond)},
		{"2000-rate", faulty, 0, true, accuracy("2000", 200, 2000, 5*time.Millisecond, 50*time.Millisecond)},
		{"paced", faulty, 0, true, runPaced},
		{"idle", proxies, 3, false, runIdle},
		{"stalled", faulty, 1, false, runStalled},
		{"leave", faulty, 1, false, runLeave},
		{"semantics", proxies, 1, false, runSemantics},
	}
}

// runBulk downloads without a fault.
func runBulk(_ *bench, t *target) (v values, err error) {
	v = values{}
	for _, conns := range []int{1, 8} {
		if v[fmt.Sprintf("bulk%d", conns)], v[fmt.Sprintf("bulk%d-cpu", conns)], err = bulk(t, conns, 200*time.Millisecond, 600*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// delayedBulk downloads with a delay that was put in before.
func delayedBulk(delay time.Duration, conns int) func(*bench, *target) (values, error) {
	return func(_ *bench, t *target) (values, error) {
		if err := faultOf(t, "bulk", delay); err != nil {
			return nil, err
		}
		rate, cpu, err := bulk(t, conns, 300*time.Millisecond+delay, time.Second)
		name := fmt.Sprintf("bulk%d-%dms", conns, delay.Milliseconds())
		return values{name: rate, name + "-cpu": cpu}, err
	}
}

func faultOf(t *target, service string, delay time.Duration) error {
	_, err := within(patience, func(ctx context.Context) error { return t.control.add(ctx, service, delay) })
	return err
}

func runRequests(b *bench, t *target) (v values, err error) {
	v = values{}
	for _, conns := range []int{32, 1} {
		if v[fmt.Sprintf("wrk%d", conns)], v[fmt.Sprintf("wrk%d-cpu", conns)], err = b.requests(t, conns); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// runAdded measures round trips without a fault.
func runAdded(_ *bench, t *target) (values, error) {
	trips, err := openLoop(t.at(portEcho), 16, 1000, 100*time.Millisecond, time.Second)
	if err != nil {
		return nil, err
	}
	return values{"added-p50": quantile(trips, 0.5), "added-p99": quantile(trips, 0.99)}, nil
}

func runSetUps(_ *bench, t *target) (values, error) {
	rate, err := setUps(t, 700*time.Millisecond)
	return values{"setup": rate}, err
}

// accuracy measures round trips at a rate, first without a fault and then with two delays, each on a proxy of its own: to
// change one could hang in toxiproxy. Errors are net, less the median without a fault, or raw.
func accuracy(name string, conns, rate int, a, b time.Duration) func(*bench, *target) (values, error) {
	return func(_ *bench, t *target) (values, error) {
		base, err := openLoop(t.at(portEcho), conns, rate, 100*time.Millisecond, 600*time.Millisecond)
		if err != nil {
			return nil, err
		}
		v := values{}
		for port, delay := range map[int]time.Duration{portEchoA: a, portEchoB: b} {
			if err := faultOf(t, map[int]string{portEchoA: "echo-a", portEchoB: "echo-b"}[port], delay); err != nil {
				return nil, err
			}
			trips, err := openLoop(address(port), conns, rate, 200*time.Millisecond, 1200*time.Millisecond)
			if err != nil {
				return nil, err
			}
			if trips[0] < delay {
				return nil, fmt.Errorf("let go early: a round trip of %v under a delay of %v", trips[0], delay)
			}
			key, requested := fmt.Sprintf("%s-%dms", name, delay.Milliseconds()), float64(delay.Microseconds())
			for percentile, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99} {
				raw := quantile(trips, q) - requested
				v[key+"-raw-"+percentile], v[key+"-net-"+percentile] = raw, raw-quantile(base, 0.5)
			}
		}
		return v, nil
	}
}

// runPaced measures how late 40,000 messages a second are on one connection.
func runPaced(_ *bench, t *target) (values, error) {
	const delay = 250 * time.Millisecond
	if err := faultOf(t, "script", delay); err != nil {
		return nil, err
	}
	late, err := overshoot(t, delay, 700*time.Millisecond, 1200*time.Millisecond)
	if err != nil {
		return nil, err
	}
	slices.Sort(late)
	if len(late) == 0 || late[0] < 0 {
		return nil, errors.New("let go early, or no message came")
	}
	return values{"paced-p50": quantile(late, 0.5) / 1e3, "paced-p99": quantile(late, 0.99) / 1e3}, nil
}
