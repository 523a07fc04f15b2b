package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// fault is a fault in a proxy, of any kind.
type fault struct {
	deps  Deps
	kind  kind
	proxy string
}

// faultUndo is where the fault is.
type faultUndo struct {
	Control string `json:"control"`
	Proxy   string `json:"proxy"`
	Arm     string `json:"arm,omitempty"` // the token of the only arm that it hits; empty: all
}

// Prepare finds the proxy and asks whether it runs.
func (p *fault) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	address, err := p.deps.findProxy(p.proxy, p.kind.name, p.kind.protocols)
	if err != nil {
		return nil, err
	}
	if err := p.deps.running(ctx, address); err != nil {
		return nil, err
	}
	if err := p.confinable(req); err != nil {
		return nil, err
	}
	with, err := p.kind.read(req.Fault.With)
	if err != nil {
		return nil, err
	}
	where := faultUndo{Control: address.Control, Proxy: p.proxy}
	if req.Arms != nil {
		where.Arm = req.Arms.Token
	}
	undo, err := json.Marshal(where)
	if err != nil {
		return nil, fmt.Errorf("write undo: %w", err)
	}
	in := mishap.Injection{
		Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo, Matched: 1,
		Target: mishap.Target{ID: p.proxy, Kind: "proxy", Name: p.proxy},
		Keys:   []mishap.Key{address.key(p.kind.effect)},
		Notes:  []string{p.note(address, with)},
	}
	share := with.hit().share
	if req.Arms != nil {
		share *= req.Arms.Share
		in.Notes = append(in.Notes, "only requests of the experiment arm")
	}
	if share < 1 {
		in.Share = share
	}
	return []mishap.Injection{in}, nil
}

// confinable says why the fault cannot be confined to the arm of a request. One
// without a token would hit everybody.
func (p *fault) confinable(req mishap.Request) error {
	switch {
	case req.Arms == nil:
		return nil
	case !p.kind.arms:
		return mishap.WithHint(fmt.Errorf("%s hits whole connections, which are in no arm", p.kind.name),
			"use an injector whose name begins with proxy-http- or proxy-grpc-")
	case req.Arms.Token == "" && req.Run != planning:
		return errors.New("the experiment arm has no token")
	}
	return nil
}

// note says in a plan what the fault does.
func (p *fault) note(a Address, with parameters) string {
	note := fmt.Sprintf("%s at %s, in front of %s", p.kind.verb, a.Listen, a.Upstream)
	if d := with.hit().direction; d != "" {
		note += " (" + d + ")"
	}
	return note
}

// recorded is the proxy and the fault of a recorded injection.
func (p *fault) recorded(in mishap.Injection) (Control, Fault, error) {
	var undo faultUndo
	if err := json.Unmarshal(in.Undo, &undo); err != nil || undo.Control == "" {
		return nil, Fault{}, fmt.Errorf("read undo of %s: it names no proxy", in.ID)
	}
	f := Fault{ID: in.ID, Run: in.Run, Proxy: undo.Proxy, Kind: p.kind.effect, Expires: p.expires(in)}
	with, err := p.kind.read(in.With)
	if err == nil {
		hit := with.hit()
		f.Direction, f.Seed, f.Share = hit.direction, hit.seed, float64(hit.share)
		effect := with.effect()
		if undo.Arm != "" {
			fields, ok := effect.(map[string]any)
			if !ok {
				return nil, Fault{}, fmt.Errorf("read undo of %s: %s cannot be confined to an arm", in.ID, p.kind.name)
			}
			fields["arm"] = undo.Arm
		}
		f.With, err = json.Marshal(effect)
	}
	return p.deps.Control(undo.Control), f, err
}

// pastFor is how much longer than it should a fault may be in before the proxy
// ends it, although its lease goes on.
const pastFor = 5 * time.Second

// expires is how long the fault lives in the proxy unless it is renewed: a lease,
// but not beyond the time that is left for it.
func (p *fault) expires(in mishap.Injection) time.Duration {
	return min(p.deps.Lease, in.Lasts()+pastFor)
}

// Inject puts the fault in force for one lease.
func (p *fault) Inject(ctx context.Context, in mishap.Injection) error {
	return lease(p.recorded).Inject(ctx, in)
}

// Renew lets the lease begin anew. It injects nothing.
func (p *fault) Renew(ctx context.Context, in mishap.Injection) error {
	return lease(p.recorded).Renew(ctx, in)
}

// Revert removes the fault. A proxy that is not running has no faults.
func (p *fault) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	return lease(p.recorded).Revert(ctx, in)
}

// Verify asks the proxy what the fault did.
func (p *fault) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	effect, err := lease(p.recorded).Verify(ctx, in)
	if err != nil || effect.Traffic == nil {
		return effect, err
	}
	with, err := p.kind.read(in.With)
	if err != nil {
		return mishap.Effect{}, err
	}
	effect.Traffic.Requested = with.asked()
	return effect, nil
}
