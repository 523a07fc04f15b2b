package engine

import (
	"context"

	"mishap"
	"mishap/internal/runner"
)

// Around is told before and after every ledger, keeper and target call, so that
// a test can end the process there. Nil tells nobody.
type Around func(point string)

// call makes a call and tells of it.
func (a Around) call(name string, f func() error) error {
	if a == nil {
		return f()
	}
	a("before " + name)
	err := f()
	a("after " + name)
	return err
}

// toldJournal tells of ledger calls.
type toldJournal struct {
	runner.Journal
	around Around
}

// Append writes entries, all or none.
func (j toldJournal) Append(ctx context.Context, entries ...mishap.Entry) error {
	return j.around.call("append", func() error { return j.Journal.Append(ctx, entries...) })
}

// Prepare writes an injection with its undo.
func (j toldJournal) Prepare(ctx context.Context, e mishap.Entry, in mishap.Injection) error {
	return j.around.call("prepare "+in.ID, func() error { return j.Journal.Prepare(ctx, e, in) })
}

// toldKeeper tells of keeper calls.
type toldKeeper struct {
	runner.Keeper
	around Around
}

// Hold hands an injection over.
func (k toldKeeper) Hold(ctx context.Context, in mishap.Injection) error {
	return k.around.call("hold "+in.ID, func() error { return k.Keeper.Hold(ctx, in) })
}

// Inject injects what is held.
func (k toldKeeper) Inject(ctx context.Context, ids []string) (errs []error) {
	_ = k.around.call("keeper's inject "+ids[0], func() error { errs = k.Keeper.Inject(ctx, ids); return nil })
	return errs
}

// Revert reverts what is held.
func (k toldKeeper) Revert(ctx context.Context, ids []string) (replies []mishap.Reply[mishap.Reverted]) {
	_ = k.around.call("keeper's revert "+ids[0], func() error { replies = k.Keeper.Revert(ctx, ids); return nil })
	return replies
}

// toldInjector tells of target calls.
type toldInjector struct {
	mishap.Injector
	around Around
}

// Inject puts the fault in.
func (i toldInjector) Inject(ctx context.Context, in mishap.Injection) error {
	return i.around.call("inject "+in.ID, func() error { return i.Injector.Inject(ctx, in) })
}

// Revert takes the fault out.
func (i toldInjector) Revert(ctx context.Context, in mishap.Injection) (r mishap.Reverted, err error) {
	err = i.around.call("revert "+in.ID, func() error { r, err = i.Injector.Revert(ctx, in); return err })
	return r, err
}
