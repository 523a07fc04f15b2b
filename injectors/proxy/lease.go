package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/target"
)

// lease is a fault that lives in a proxy for a lease. It reads a recorded
// injection: who to ask, and for what.
type lease func(in mishap.Injection) (Control, Fault, error)

// Inject puts the fault in force for one lease.
func (p lease) Inject(ctx context.Context, in mishap.Injection) error {
	control, fault, err := p(in)
	if err != nil {
		return err
	}
	return control.Put(ctx, fault)
}

// Renew lets the lease begin anew. It injects nothing: a fault that has ended,
// or that a proxy lost in a restart, stays out.
func (p lease) Renew(ctx context.Context, in mishap.Injection) error {
	control, fault, err := p(in)
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

// Revert removes the fault. A proxy that is not running has no faults.
func (p lease) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	control, fault, err := p(in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	err = control.Delete(ctx, fault.ID, fault.Run)
	switch {
	case errors.Is(err, ErrDown):
		return mishap.Reverted{State: mishap.InjectionGone, Detail: "the proxy is not running, and so has no faults"}, nil
	case err != nil && !errors.Is(err, ErrFaultOver):
		return mishap.Reverted{}, err
	}
	status, err := control.Get(ctx, fault.ID)
	switch {
	case errors.Is(err, ErrFaultOver), errors.Is(err, ErrDown), err == nil && !status.InForce:
		return mishap.Reverted{State: mishap.InjectionReverted}, nil
	case err != nil:
		return mishap.Reverted{}, fmt.Errorf("read back: %w", err)
	}
	return mishap.Reverted{}, errors.New("the proxy still has the fault after it was removed")
}

// Verify asks the proxy what the fault did. What the proxy counted, and not
// what was asked for, is the effect.
func (p lease) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	control, fault, err := p(in)
	if err != nil {
		return mishap.Effect{}, err
	}
	status, err := control.Get(ctx, fault.ID)
	switch {
	case errors.Is(err, ErrFaultOver):
		return mishap.Effect{InForce: mishap.No, Detail: "the proxy does not have the fault"}, nil
	case errors.Is(err, ErrDown):
		return mishap.Effect{InForce: mishap.Unknown, Detail: "the proxy is not running"}, nil
	case err != nil:
		return mishap.Effect{}, err
	}
	e := mishap.Effect{InForce: mishap.No, Traffic: status.Traffic, Arms: status.Arms, Left: status.Left, Detail: status.Detail}
	if status.InForce {
		e.InForce = mishap.Yes
	}
	return e, nil
}

// running asks whether a proxy answers.
func (d Deps) running(ctx context.Context, address Address) error {
	_, err := d.Control(address.Control).Get(ctx, "unused")
	switch {
	case errors.Is(err, ErrDown):
		return mishap.WithHint(target.None("proxy %s is not running", address.Name), "start it with `mishap proxy`")
	case err != nil && !errors.Is(err, ErrFaultOver):
		return fmt.Errorf("ask proxy %s: %w", address.Name, err)
	}
	return nil
}

// findProxy looks for a proxy in the settings that passes one of the protocols.
func (d Deps) findProxy(name, injector, protocols string) (Address, error) {
	var names []string
	for _, a := range d.Proxies() {
		protocol := a.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		switch {
		case a.Name != name:
		case !strings.Contains(protocols, protocol):
			return Address{}, mishap.WithHint(target.None("proxy %q passes %s, and %s is for %s", a.Name, protocol, injector, protocols),
				"name another proxy, or another injector: `mishap catalog` lists them")
		default:
			return a, nil
		}
		names = append(names, a.Name)
	}
	if names == nil {
		return Address{}, mishap.WithHint(target.None("no proxy %q: the settings have none", name), "list it under proxies in mishap.yaml: {name, listen, upstream}")
	}
	return Address{}, mishap.WithHint(target.None("no proxy %q: the settings have %s", name, strings.Join(names, ", ")), mishap.Suggest(name, names))
}
