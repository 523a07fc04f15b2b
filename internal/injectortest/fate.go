package injectortest

import (
	"context"
	"errors"
	"sync"

	"mishap"
)

// Fate is what becomes of a call to the system that a fault breaks.
type Fate string

// The fates; the zero value is to be answered.
const (
	FailsBefore Fate = "fails before it took effect"
	FailsAfter  Fate = "fails after it took effect"
	AnswersLate Fate = "takes effect, and answers when nobody waits any more"
)

// ErrLost is the error of a call that failed, or whose answer was lost.
var ErrLost = errors.New("the connection was reset")

// Wire stands between a kind and the system that it breaks, and lets calls go
// wrong. The zero value hands on every call.
type Wire struct {
	mu    sync.Mutex
	judge func(call string) Fate
}

// Judge is asked from now on what becomes of each call; nil: all are answered.
func (w *Wire) Judge(judge func(call string) Fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge = judge
}

func (w *Wire) fate(call string) Fate {
	w.mu.Lock()
	judge := w.judge
	w.mu.Unlock()
	if judge == nil {
		return ""
	}
	return judge(call)
}

// Call makes a call of that name as its fate is. One that takes effect does so
// whether its caller still waits or not.
func (w *Wire) Call(ctx context.Context, call string, make func(context.Context) error) error {
	fate := w.fate(call)
	switch fate {
	case FailsBefore:
		return ErrLost
	case FailsAfter, AnswersLate:
		made, cancel := context.WithTimeout(context.WithoutCancel(ctx), mishap.CallWithin)
		_ = make(made)
		cancel()
	default:
		return make(ctx)
	}
	if fate == AnswersLate {
		<-ctx.Done()
		return ctx.Err()
	}
	return ErrLost
}

// wired is an injector whose own calls may go wrong, where nothing stands between
// it and its system.
type wired struct {
	mishap.Injector
	w *Wire
}

// Inject is a call that may go wrong.
func (i wired) Inject(ctx context.Context, in mishap.Injection) error {
	return i.w.Call(ctx, "inject", func(ctx context.Context) error { return i.Injector.Inject(ctx, in) })
}

// Revert is one, too.
func (i wired) Revert(ctx context.Context, in mishap.Injection) (r mishap.Reverted, err error) {
	lost := i.w.Call(ctx, "revert", func(ctx context.Context) error { r, err = i.Injector.Revert(ctx, in); return err })
	return r, lost
}

// Verify is one, too.
func (i wired) Verify(ctx context.Context, in mishap.Injection) (e mishap.Effect, err error) {
	lost := i.w.Call(ctx, "verify", func(ctx context.Context) error { e, err = i.Injector.Verify(ctx, in); return err })
	return e, lost
}

// onWire is the world with a wire between, if it has none.
func (w World) onWire() World {
	if w.Fates != nil {
		return w
	}
	wire, made, restore := &Wire{}, w.Kind.New, w.Kind.Restore
	w.Fates = wire.Judge
	w.Kind.New = func(f mishap.Fault) (mishap.Injector, error) {
		injector, err := made(f)
		return wired{injector, wire}, err
	}
	w.Kind.Restore = func(in mishap.Injection) (mishap.Injector, error) {
		injector, err := restore(in)
		return wired{injector, wire}, err
	}
	return w
}
