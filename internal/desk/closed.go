package desk

import (
	"context"
	"slices"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/ledger"
)

const (
	mostActs      = 1000 // of the audit, in which halts are looked for
	freezesWithin = time.Second
)

// addClosed adds when nothing starts. What cannot be told keeps nothing else from being
// shown.
func (d *Desk) addClosed(ctx context.Context, c *api.Calendar, book ledger.Ledger, now time.Time) error {
	if err := addHalts(ctx, c, book); err != nil {
		return err
	}
	rules, err := d.catalog.Rules()
	if err != nil {
		c.Unknown = append(c.Unknown, err.Error())
		return nil
	}
	spans, err := rules.Refused(ctx, c.From, c.To)
	if err != nil {
		c.Unknown = append(c.Unknown, err.Error())
	}
	for _, s := range spans {
		c.Closed = append(c.Closed, api.CalendarSpan{Kind: s.Safeguard, From: s.From.UTC(), To: s.To.UTC(), Reason: s.Reason})
	}
	if !now.Before(c.From) && now.Before(c.To) {
		if why := frozen(ctx, rules.Freezes); why != "" {
			c.Closed = append(c.Closed, api.CalendarSpan{Kind: "freeze", From: now.UTC(), Reason: why})
		}
	}
	slices.SortStableFunc(c.Closed, func(a, b api.CalendarSpan) int { return a.From.Compare(b.From) })
	return nil
}

// frozen says what freezes everything now; a freeze that does not answer for a while
// is as good as one that says no.
func frozen(ctx context.Context, f *catalog.Freezes) string {
	said := make(chan string, 1)
	go func() { said <- f.Reason(context.WithoutCancel(ctx)) }() // whoever else asks gets the same answer
	select {
	case why := <-said:
		return why
	case <-time.After(freezesWithin):
		return "the freezes of the settings have not answered within " + freezesWithin.String()
	case <-ctx.Done():
		return ""
	}
}

// addHalts adds those of the past, as the latest acts of the audit tell, and the one
// that there is.
func addHalts(ctx context.Context, c *api.Calendar, book ledger.Ledger) error {
	now, err := book.Halted(ctx)
	if err != nil {
		return err
	}
	acts, err := book.Audit(ctx, 0, 1<<62, mostActs)
	if err != nil {
		return err
	}
	if len(acts) == mostActs && acts[mostActs-1].At.After(c.From) {
		c.Unknown = append(c.Unknown, "halts before "+mishap.Moment(acts[mostActs-1].At)+" are further back in the audit than is looked")
	}
	for _, h := range haltsOf(acts, now) {
		if h.From.Before(c.To) && (h.To.IsZero() || h.To.After(c.From)) {
			c.Closed = append(c.Closed, h)
		}
	}
	return nil
}

// haltsOf are the halts of these acts, which come newest first.
func haltsOf(acts []ledger.Act, now *ledger.Halt) (all []api.CalendarSpan) {
	var on *api.CalendarSpan
	for _, a := range slices.Backward(acts) {
		why, halts := a.Halts()
		switch {
		case halts && on == nil: // whoever halts later changes nothing
			on = &api.CalendarSpan{Kind: "halt", From: a.At.UTC(), Reason: why, By: a.By}
		case a.Resumes() && on != nil:
			on.To = a.At.UTC()
			all, on = append(all, *on), nil
		}
	}
	if now != nil {
		all = append(all, api.CalendarSpan{Kind: "halt", From: now.At.UTC(), Reason: now.Reason, By: now.By})
	}
	return all
}
