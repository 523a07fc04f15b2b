package injectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"mishap"
)

// proxyFault is a fault in a proxy, of any kind.
type proxyFault struct {
	deps  Deps
	kind  proxyKind
	proxy string
}

// proxyUndo is where the fault is.
type proxyUndo struct {
	Control string `json:"control"`
	Proxy   string `json:"proxy"`
}

// Prepare finds the proxy and asks whether it runs.
func (p *proxyFault) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
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
	with, err := p.kind.read(req.Fault.With)
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
		Keys:   []string{fmt.Sprintf("proxy/%s/%s/%s", address.Control, p.proxy, p.kind.effect)},
		Notes:  []string{p.note(address, with)},
	}
	if share := with.hit().share; share < 1 {
		in.Share = share
	}
	return []mishap.Injection{in}, nil
}

// note says in a plan what the fault does.
func (p *proxyFault) note(a ProxyAddress, with proxyWith) string {
	note := fmt.Sprintf("%s from %s to %s", p.kind.verb, a.Listen, a.Upstream)
	if d := with.hit().direction; d != "" {
		note += " (" + d + ")"
	}
	return note
}

// find looks for the proxy in the settings.
func (p *proxyFault) find() (ProxyAddress, error) {
	var names []string
	for _, a := range p.deps.Proxies() {
		protocol := a.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		switch {
		case a.Name != p.proxy:
		case !strings.Contains(p.kind.protocols, protocol):
			return ProxyAddress{}, mishap.WithHint(noTarget("proxy %q passes %s, and %s is for %s", a.Name, protocol, p.kind.name, p.kind.protocols),
				"name another proxy, or another injector: `mishap catalog` lists them")
		default:
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
func (p *proxyFault) recorded(in mishap.Injection) (ProxyControl, ProxyFault, error) {
	var undo proxyUndo
	if err := json.Unmarshal(in.Undo, &undo); err != nil || undo.Control == "" {
		return nil, ProxyFault{}, fmt.Errorf("read undo of %s: it names no proxy", in.ID)
	}
	f := ProxyFault{ID: in.ID, Run: in.Run, Proxy: undo.Proxy, Kind: p.kind.effect, Expires: p.deps.Lease}
	with, err := p.kind.read(in.With)
	if err == nil {
		hit := with.hit()
		f.Direction, f.Seed, f.Share = hit.direction, hit.seed, float64(hit.share)
		f.With, err = json.Marshal(with.effect())
	}
	return p.deps.Proxy(undo.Control), f, err
}

// Inject puts the fault in for one lease.
func (p *proxyFault) Inject(ctx context.Context, in mishap.Injection) error {
	control, fault, err := p.recorded(in)
	if err != nil {
		return err
	}
	return control.Put(ctx, fault)
}

// Renew lets the lease begin anew. It injects nothing: a fault that has ended,
// or that a proxy lost in a restart, stays out.
func (p *proxyFault) Renew(ctx context.Context, in mishap.Injection) error {
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
func (p *proxyFault) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
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

// Verify asks the proxy what the fault did. What the proxy counted, and not
// what was asked for, is the effect.
func (p *proxyFault) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
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
	with, err := p.kind.read(in.With)
	if err != nil {
		return mishap.Effect{}, err
	}
	status.Traffic.Requested = with.asked()
	e := mishap.Effect{InForce: mishap.No, Traffic: &status.Traffic, Detail: status.Detail}
	if status.InForce {
		e.InForce = mishap.Yes
	}
	return e, nil
}
