// Package injectors is the catalog of faults: one file each.
//
// Every injector obeys the contract of [mishap.Injector], and the conformance
// suite in internal/injectortest holds each entry of the catalog to it.
package injectors

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"mishap"
)

// Deps is what injectors need from the rest of the program.
type Deps struct {
	Lease   time.Duration                     // how long a fault in a proxy lives without renewal
	Proxies func() []ProxyAddress             // the proxies of the settings
	Proxy   func(control string) ProxyControl // the control API behind a unix socket
	AWS     func(ctx context.Context, region string) (AWS, error)
	Secret  func(mishap.Secret) (string, error)
}

// Catalog lists all injectors, sorted by name.
func Catalog(d Deps) []mishap.InjectorKind {
	all := []mishap.InjectorKind{ec2StopKind(d), execKind(d), processKillKind(), processStopKind()}
	for _, k := range proxyKinds() {
		all = append(all, k.injectorKind(d))
	}
	return all
}

// proxyKinds are the faults that a proxy causes, sorted by name.
func proxyKinds() []proxyKind {
	return []proxyKind{proxyBandwidth(), proxyConnectDelay(), proxyGRPCError(), proxyHTTPAbort(), proxyHTTPBody(), proxyHTTPError(),
		proxyHTTPHeader(), proxyHTTPLatency(), proxyLatency(), proxyLimit(), proxyLoss(), proxyRefuse(),
		proxyReset(), proxySlicer(), proxySlowClose(), proxyTimeout()}
}

// Restore makes the injector of a recorded injection, which reverts and
// verifies it but cannot prepare another.
func Restore(d Deps, in mishap.Injection) (mishap.Injector, error) {
	switch in.Injector {
	case "ec2-stop":
		return &ec2Stop{deps: d}, nil
	case "exec":
		return &execFault{deps: d}, nil
	case requestArmsName:
		return &requestArms{deps: d}, nil
	case "process-kill":
		return &processKill{}, nil
	case "process-stop":
		return &processStop{}, nil
	}
	for _, k := range proxyKinds() {
		if k.name == in.Injector {
			return &proxyFault{deps: d, kind: k}, nil
		}
	}
	return nil, mishap.WithHint(fmt.Errorf("restore injection %s: this mishap has no injector %q", in.ID, in.Injector), "use the version of mishap that injected it")
}

// selection picks some of what a fault's targets match.
type selection struct {
	Pick  int          `json:"pick,omitempty" jsonschema:"how many of the matched targets to take; default all"`
	Share mishap.Share `json:"share,omitempty" jsonschema:"which part of the matched targets to take, rounded down, at least one"`
	Seed  *uint64      `json:"seed,omitempty" jsonschema:"seed of the random choice; the same seed takes the same targets"`
}

func (s selection) check() error {
	switch {
	case s.Pick < 0:
		return &mishap.FieldError{Path: "targets.pick", Msg: fmt.Sprintf("%d is not a number of targets", s.Pick)}
	case s.Pick > 0 && s.Share > 0:
		return &mishap.FieldError{Path: "targets.pick", Msg: "pick and share exclude each other", Hint: "keep one of them"}
	}
	return nil
}

// sample is what was chosen of what matched.
type sample[T any] struct {
	chosen  []T
	control []T    // one for each chosen: like it, and left alone; nil unless they were asked for
	note    string // how it was done; empty if all were taken
}

// choose picks from what matched, which must be in a fixed order. The seed, if
// none was given, comes from the fault's name, so that plan and run agree.
func choose[T any](s selection, req mishap.Request, matched []T) (sample[T], error) {
	n := len(matched)
	switch {
	case s.Pick > 0:
		n = min(n, s.Pick)
	case s.Share > 0:
		n = max(1, int(float64(len(matched))*float64(s.Share)+1e-9)) // 29% of 100 is 29, not 28.99…
	}
	if req.Sample && 2*n > len(matched) {
		return sample[T]{}, mishap.WithHint(noTarget("%d targets fit %q: too few for two arms of %d each", len(matched), req.Fault.Name, n),
			"pick at most half of what fits")
	}
	if n >= len(matched) {
		return sample[T]{chosen: matched}, nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(req.Fault.Name))
	seed := h.Sum64() % 1_000_000
	if s.Seed != nil {
		seed = *s.Seed
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(matched))
	out := sample[T]{chosen: take(matched, order[:n]), note: fmt.Sprintf("picked %d of %d with seed %d", n, len(matched), seed)}
	if req.Sample {
		out.control = take(matched, order[n:2*n])
		out.note += ", and as many others as control"
	}
	return out, nil
}

// take gives the items at these places, in the order of the places.
func take[T any](from []T, places []int) (out []T) {
	slices.Sort(places)
	for _, i := range places {
		out = append(out, from[i])
	}
	return out
}

func noTarget(format string, args ...any) error {
	return fmt.Errorf("%w: %s", mishap.ErrNoTarget, fmt.Sprintf(format, args...))
}
