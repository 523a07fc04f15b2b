package injectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
)

// Errors of a [ProxyControl] that this package branches on.
var (
	// ErrProxyDown is a proxy that does not run, and so has no faults.
	ErrProxyDown = errors.New("the proxy is not running")
	// ErrFaultOver is a fault that the proxy does not have, or not any more.
	ErrFaultOver = errors.New("the proxy does not have the fault")
)

// ProxyAddress is a proxy of the settings.
type ProxyAddress struct {
	Name, Listen, Upstream string
	Control                string // path of the control socket
}

// ProxyFault is what a proxy is asked to do to the bytes that pass it.
type ProxyFault struct {
	ID, Run, Proxy string
	Delay, Jitter  time.Duration
	Direction      string
	Seed           uint64
	Share          float64       // of the connections
	Expires        time.Duration // ends by itself so long after it was put in or renewed
}

// ProxyStatus is how a fault does in its proxy.
type ProxyStatus struct {
	InForce bool
	Detail  string
	Traffic mishap.Traffic
}

// ProxyControl is the control API of a running proxy. Putting a fault in again
// renews it; one that has ended cannot be put in again.
type ProxyControl interface {
	Put(ctx context.Context, f ProxyFault) error
	Get(ctx context.Context, id string) (ProxyStatus, error)
	Delete(ctx context.Context, id string) error
}

type proxyTargets struct {
	Proxy string `json:"proxy" jsonschema:"name of a proxy in the settings"`
}

type latencyWith struct {
	Delay     mishap.Duration `json:"delay" jsonschema:"how much later bytes are passed on"`
	Jitter    mishap.Duration `json:"jitter,omitempty" jsonschema:"the delay is drawn between delay - jitter and delay + jitter"`
	Direction string          `json:"direction,omitempty" jsonschema:"upstream, downstream (default) or both"`
	Share     mishap.Share    `json:"share,omitempty" jsonschema:"part of the connections, above 0%; default 100%"`
	Seed      uint64          `json:"seed,omitempty" jsonschema:"seed of jitter and share"`
}

func proxyLatencyKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "proxy-latency",
			Summary: "delays the TCP traffic that passes a mishap proxy",
			Doc: "The traffic must pass `mishap proxy`, whose listeners are in the settings under proxies. Connections that are open are delayed too, and none is broken. " +
				"The fault expires in the proxy unless it is renewed, so that it ends when mishap does. " +
				"How many connections and bytes were delayed, and by how much, is counted: none means no effect, and no verdict.",
			Params:  latencyWith{},
			Example: "injector: proxy-latency\ntargets: {proxy: payments}\nwith: {delay: 300ms, jitter: 50ms}\nfor: 5m",
		},
		Targets: proxyTargets{}, Keeper: mishap.KeeperProxy, Traffic: true, Ramps: true,
		Do: []string{"connect to the proxy's control socket"}, Undo: []string{"connect to the proxy's control socket"},
		WhenLost: fmt.Sprintf("the fault expires in the proxy within %s", d.Lease),
		New: func(f mishap.Fault) (mishap.Injector, error) {
			var t proxyTargets
			with, err := readLatency(f.With)
			err = errors.Join(mishap.Decode("targets", f.Targets, &t), err, with.check())
			if t.Proxy == "" {
				err = errors.Join(err, &mishap.FieldError{Path: "targets.proxy", Msg: "is missing: the name of a proxy in the settings"})
			}
			return &proxyLatency{deps: d, proxy: t.Proxy}, err
		},
	}
}

func readLatency(raw json.RawMessage) (latencyWith, error) {
	with := latencyWith{Direction: "downstream", Share: 1}
	err := mishap.Decode("with", raw, &with)
	return with, err
}

func (w latencyWith) check() error {
	const longest = 10 * time.Minute
	var problems []error
	if w.Delay.Std() <= 0 || w.Delay.Std() > longest {
		problems = append(problems, &mishap.FieldError{Path: "with.delay", Msg: fmt.Sprintf("must be above 0 and at most %s", mishap.Duration(longest)), Hint: "for example delay: 300ms"})
	}
	if w.Jitter > w.Delay {
		problems = append(problems, &mishap.FieldError{Path: "with.jitter", Msg: fmt.Sprintf("%s is more than the delay, %s", w.Jitter, w.Delay)})
	}
	if w.Share <= 0 {
		problems = append(problems, &mishap.FieldError{Path: "with.share", Msg: "must be above 0%", Hint: "leave it out for all connections"})
	}
	if w.Direction != "upstream" && w.Direction != "downstream" && w.Direction != "both" {
		problems = append(problems, &mishap.FieldError{Path: "with.direction", Msg: fmt.Sprintf("%q is unknown", w.Direction), Hint: mishap.Suggest(w.Direction, []string{"upstream", "downstream", "both"})})
	}
	return errors.Join(problems...)
}

// proxyLatency delays what passes a proxy.
type proxyLatency struct {
	deps  Deps
	proxy string
}

// proxyUndo is where the fault is.
type proxyUndo struct {
	Control string `json:"control"`
	Proxy   string `json:"proxy"`
}

// Prepare finds the proxy and asks whether it runs.
func (p *proxyLatency) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	address, err := p.find()
	if err != nil {
		return nil, err
	}
	if _, err := p.deps.Proxy(address.Control).Get(ctx, "unused"); err != nil && !errors.Is(err, ErrFaultOver) {
		if errors.Is(err, ErrProxyDown) {
			return nil, mishap.WithHint(noTarget("proxy %s is not running", p.proxy), "start it with `mishap proxy`")
		}
		return nil, fmt.Errorf("ask proxy %s: %w", p.proxy, err)
	}
	with, err := readLatency(req.Fault.With)
	if err != nil {
		return nil, err
	}
	undo, err := json.Marshal(proxyUndo{Control: address.Control, Proxy: p.proxy})
	if err != nil {
		return nil, fmt.Errorf("write undo: %w", err)
	}
	in := mishap.Injection{
		Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo, Matched: 1,
		Target: mishap.Target{ID: p.proxy, Kind: "proxy", Name: p.proxy},
		Keys:   []string{fmt.Sprintf("proxy/%s/%s/latency", address.Control, p.proxy)},
		Notes:  []string{fmt.Sprintf("delays connections from %s to %s (%s)", address.Listen, address.Upstream, with.Direction)},
	}
	if with.Share < 1 {
		in.Share = with.Share
	}
	return []mishap.Injection{in}, nil
}

func (p *proxyLatency) find() (ProxyAddress, error) {
	var names []string
	for _, a := range p.deps.Proxies() {
		if a.Name == p.proxy {
			return a, nil
		}
		names = append(names, a.Name)
	}
	if names == nil {
		return ProxyAddress{}, mishap.WithHint(noTarget("no proxy %q: the settings have none", p.proxy), "list it under proxies in mishap.yaml: {name, listen, upstream}")
	}
	return ProxyAddress{}, mishap.WithHint(noTarget("no proxy %q: the settings have %s", p.proxy, strings.Join(names, ", ")), mishap.Suggest(p.proxy, names))
}

// recorded is the proxy and the fault of a recorded injection.
func (p *proxyLatency) recorded(in mishap.Injection) (ProxyControl, ProxyFault, error) {
	var undo proxyUndo
	if err := json.Unmarshal(in.Undo, &undo); err != nil || undo.Control == "" {
		return nil, ProxyFault{}, fmt.Errorf("read undo of %s: it names no proxy", in.ID)
	}
	with, err := readLatency(in.With)
	return p.deps.Proxy(undo.Control), ProxyFault{
		ID: in.ID, Run: in.Run, Proxy: undo.Proxy, Delay: with.Delay.Std(), Jitter: with.Jitter.Std(),
		Direction: with.Direction, Seed: with.Seed, Share: float64(with.Share), Expires: p.deps.Lease,
	}, err
}

// Inject puts the fault in for one lease.
func (p *proxyLatency) Inject(ctx context.Context, in mishap.Injection) error {
	control, fault, err := p.recorded(in)
	if err != nil {
		return err
	}
	return control.Put(ctx, fault)
}

// Renew lets the lease begin anew. It injects nothing: a fault that has ended,
// or that a proxy lost in a restart, stays out.
func (p *proxyLatency) Renew(ctx context.Context, in mishap.Injection) error {
	control, fault, err := p.recorded(in)
	if err != nil {
		return err
	}
	switch status, err := control.Get(ctx, fault.ID); {
	case err != nil:
		return err
	case !status.InForce:
		return fmt.Errorf("%w: %s", ErrFaultOver, status.Detail)
	}
	return control.Put(ctx, fault)
}

// Revert takes the fault out. A proxy that is not running has no faults.
func (p *proxyLatency) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	control, fault, err := p.recorded(in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	err = control.Delete(ctx, fault.ID)
	switch {
	case errors.Is(err, ErrProxyDown):
		return mishap.Reverted{State: mishap.InjectionGone, Detail: "the proxy is not running, and so has no faults"}, nil
	case err != nil && !errors.Is(err, ErrFaultOver):
		return mishap.Reverted{}, err
	}
	status, err := control.Get(ctx, fault.ID)
	switch {
	case errors.Is(err, ErrFaultOver), errors.Is(err, ErrProxyDown), err == nil && !status.InForce:
		return mishap.Reverted{State: mishap.InjectionReverted}, nil
	case err != nil:
		return mishap.Reverted{}, fmt.Errorf("read back: %w", err)
	}
	return mishap.Reverted{}, errors.New("the proxy still has the fault after it was taken out")
}

// Verify asks the proxy what the fault did.
func (p *proxyLatency) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	control, fault, err := p.recorded(in)
	if err != nil {
		return mishap.Effect{}, err
	}
	status, err := control.Get(ctx, fault.ID)
	switch {
	case errors.Is(err, ErrFaultOver):
		return mishap.Effect{InForce: mishap.No, Detail: "the proxy does not have the fault"}, nil
	case errors.Is(err, ErrProxyDown):
		return mishap.Effect{InForce: mishap.Unknown, Detail: "the proxy is not running"}, nil
	case err != nil:
		return mishap.Effect{}, err
	}
	status.Traffic.Requested = mishap.Duration(fault.Delay)
	e := mishap.Effect{InForce: mishap.No, Traffic: &status.Traffic, Detail: status.Detail}
	if status.InForce {
		e.InForce = mishap.Yes
	}
	return e, nil
}
