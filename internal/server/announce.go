package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/notify"
	"mishap/internal/scheduler"
)

const (
	announceEvery = 10 * time.Second
	mostAnnounced = 1000 // runs in one look
)

// announcer tells people what will happen, and what waits for them.
type announcer struct {
	*shared
	desired    *desired
	dispatcher *dispatcher
	digest     atomic.Pointer[digest] // nil: none
	announced  map[string]time.Time   // by experiment: the time of its schedule that was told to come
}

// digest is when owners are told what waits for them.
type digest struct {
	*scheduler.Timetable
	stale time.Duration
}

// newDigest is that of the settings; nil if there is none.
func newDigest(s *config.Settings) (*digest, error) {
	d := s.Live().Notices.Digest
	if d == nil {
		return nil, nil
	}
	table, err := scheduler.New("digest", mishap.Schedule{Cron: d.Cron, Timezone: d.Timezone})
	if err != nil {
		return nil, mishap.Invalid(fmt.Errorf("%s: notices: digest: %w", s.At("notices.digest"), err))
	}
	return &digest{table, d.Stale.Std()}, nil
}

// announceLoop tells people what will happen, and what waits for them.
func (a *announcer) announceLoop(ctx context.Context) {
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := a.announce(ctx, now); err != nil && ctx.Err() == nil {
				a.log.Warn("announce runs", "error", err)
			}
			if err := a.sendDigest(ctx, last, now); err != nil && ctx.Err() == nil {
				a.log.Warn("send digest", "error", err)
			}
			last = now
		}
	}
}

// announce tells of runs that are due soon and that nothing stands against now.
func (a *announcer) announce(ctx context.Context, now time.Time) error {
	before := a.settings.Live().Notices.Before.Std()
	if before == 0 {
		return nil
	}
	soon, err := a.book.Due(ctx, now.Add(before), mostAnnounced, func(d ledger.Schedule) bool {
		_, mine := a.dispatcher.mine(d)
		return mine && d.Tick.Due.After(now) && !a.announced[d.Experiment].Equal(d.Tick.At)
	})
	if err != nil || len(soon) == 0 {
		return err
	}
	v, err := a.dispatcher.view(ctx, now)
	if err != nil {
		return err
	}
	v.facts.Runs, v.facts.Queue = nil, nil // what goes on and waits now may be over by then
	for _, d := range soon {
		h, ok := a.dispatcher.mine(d)
		if !ok {
			continue
		}
		if a.dispatcher.against(ctx, h, v, d.Tick.Due) != nil {
			continue
		}
		first, err := a.book.First(ctx, fmt.Sprintf("planned %s %d", h.Name, d.Tick.At.UnixNano()), now)
		if err != nil {
			return err
		}
		a.announced[h.Name] = d.Tick.At
		if first {
			a.notify(plannedMessage(h, d.Tick, now))
		}
	}
	return nil
}

func plannedMessage(h held, tick mishap.Tick, now time.Time) notify.Message {
	wait := mishap.Duration(tick.Due.Sub(now).Round(time.Second))
	return notify.Message{
		ID: fmt.Sprintf("%s/%d/%s", h.Name, tick.At.Unix(), notify.Planned), Event: notify.Planned, At: now, Experiment: h.Name, Group: h.Group, Owner: h.Owner, Claim: h.Claim,
		Commit: h.Source.Commit, Path: h.Source.Path, Repository: h.Source.Repository,
		Text: fmt.Sprintf("%s begins at %s, in %s: %s for at most %s", h.Name, tick.Due.UTC().Format("15:04:05 MST"), wait, mishap.Plural(len(h.Faults), "fault"), mishap.Duration(h.Longest())),
	}
}

// sendDigest tells each owner what waits for them, if that was due since the
// last look.
func (a *announcer) sendDigest(ctx context.Context, last, now time.Time) error {
	digest := a.digest.Load()
	if digest == nil {
		return nil
	}
	due, ok := digest.Next(last)
	if !ok || due.At.After(now) {
		return nil
	}
	first, err := a.book.First(ctx, fmt.Sprintf("digest %d", due.At.UnixNano()), now)
	if err != nil || !first {
		return err
	}
	waits, err := a.waiting(ctx, digest.stale, now)
	if err != nil {
		return err
	}
	owners := make([]string, 0, len(waits))
	for owner := range waits {
		owners = append(owners, owner)
	}
	slices.Sort(owners)
	for _, owner := range owners {
		name := owner
		if owner == "" {
			name = "nobody in particular"
		}
		a.notify(notify.Message{
			ID: fmt.Sprintf("%d/%s/%s", due.At.Unix(), owner, notify.Digest), Event: notify.Digest, At: now, Owner: owner,
			Text: fmt.Sprintf("Waits for %s:\n%s", name, strings.Join(waits[owner], "\n")),
		})
	}
	return nil
}

// waiting lists by owner what of theirs shows nothing, or nothing new.
func (a *announcer) waiting(ctx context.Context, stale time.Duration, now time.Time) (map[string][]string, error) {
	locks, err := a.book.Locks(ctx)
	if err != nil {
		return nil, err
	}
	latest, err := a.book.Latest(ctx)
	if err != nil {
		return nil, err
	}
	locked, last := map[string]mishap.Lock{}, map[string]ledger.Record{}
	for _, l := range locks {
		locked[l.Experiment] = l
	}
	for _, r := range latest {
		last[r.Experiment] = r
	}
	waits := map[string][]string{}
	for _, h := range a.desired.inForce() {
		lock, isLocked := locked[h.Name]
		run, hasRun := last[h.Name]
		say := func(format string, args ...any) {
			waits[h.Owner] = append(waits[h.Owner], "- "+h.Name+" "+fmt.Sprintf(format, args...))
		}
		forbids := a.desired.forbids(h)
		switch known := h.Known(now); {
		case isLocked:
			say("is locked since %s: %s", lock.At.UTC().Format(time.DateOnly), lock.Reason)
		case known != nil:
			say("does not run, for a known impact: %s", known.What)
		case forbids != "":
			say("does not run: %s", forbids)
		case hasRun && run.Verdict == mishap.Inconclusive:
			say("was inconclusive on %s: %s", run.Began.UTC().Format(time.DateOnly), run.Reason)
		case h.table != nil && hasRun && now.Sub(run.Began) > stale:
			say("has not run since %s", run.Began.UTC().Format(time.DateOnly))
		case h.table != nil && !hasRun:
			say("has never run")
		}
	}
	return waits, nil
}
