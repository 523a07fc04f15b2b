package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// ownFor is how many leases of a fault a proxy belongs to its run without a
// word of it. It is longer than that of a fault, since it harms nobody and a
// busy machine is no reason to lose a verdict.
const ownFor = 3

// Owners is the part of a control API that says to which run a proxy
// belongs. An error wraps [mishap.ErrTaken] if that is another one, and
// [ErrFaultOver] if the proxy is to be kept and is not the run's any more.
type Owners interface {
	Own(ctx context.Context, proxy, run string, expires time.Duration, keep bool) ([]mishap.Disturbance, error)
	Disown(ctx context.Context, proxy, run string) error
}

// Own makes the proxy belong to the run.
func (p lease) Own(ctx context.Context, in mishap.Injection) error {
	_, err := p.own(ctx, in, false)
	return err
}

// Disturbed keeps the proxy, and says what others changed in it. A proxy that
// was lost may have been changed in any way.
func (p lease) Disturbed(ctx context.Context, in mishap.Injection) ([]mishap.Disturbance, error) {
	all, err := p.own(ctx, in, true)
	if errors.Is(err, ErrFaultOver) {
		return []mishap.Disturbance{{Injection: in.ID, By: "by somebody", What: fmt.Sprintf("%s was started anew or given to others", in.Target.Label())}}, nil
	}
	return all, err
}

func (p lease) own(ctx context.Context, in mishap.Injection, keep bool) ([]mishap.Disturbance, error) {
	control, fault, err := p(in)
	if err != nil {
		return nil, err
	}
	all, err := control.Own(ctx, fault.Proxy, fault.Run, ownFor*fault.Expires, keep)
	for i := range all {
		all[i].Injection = in.ID
	}
	return all, err
}

// Disown gives the proxy back.
func (p lease) Disown(ctx context.Context, in mishap.Injection) error {
	control, fault, err := p(in)
	if err != nil {
		return err
	}
	return control.Disown(ctx, fault.Proxy, fault.Run)
}

// Own makes the proxy belong to the run.
func (p *fault) Own(ctx context.Context, in mishap.Injection) error {
	return lease(p.recorded).Own(ctx, in)
}

// Disturbed says what others changed in the proxy.
func (p *fault) Disturbed(ctx context.Context, in mishap.Injection) ([]mishap.Disturbance, error) {
	return lease(p.recorded).Disturbed(ctx, in)
}

// Disown gives the proxy back.
func (p *fault) Disown(ctx context.Context, in mishap.Injection) error {
	return lease(p.recorded).Disown(ctx, in)
}

// Own makes the proxy belong to the run.
func (r *requestArms) Own(ctx context.Context, in mishap.Injection) error {
	return lease(r.recorded).Own(ctx, in)
}

// Disturbed says what others changed in the proxy.
func (r *requestArms) Disturbed(ctx context.Context, in mishap.Injection) ([]mishap.Disturbance, error) {
	return lease(r.recorded).Disturbed(ctx, in)
}

// Disown gives the proxy back.
func (r *requestArms) Disown(ctx context.Context, in mishap.Injection) error {
	return lease(r.recorded).Disown(ctx, in)
}
