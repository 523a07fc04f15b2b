package server

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/engine"
	"mishap/internal/ledger"
)

// asked is a run that somebody asked the server for.
type asked struct {
	ID      string
	Refused string // why it did not start; empty if it did
	Cause   mishap.Cause
	Again   bool // the same was asked before, with the same key
}

// asker starts runs that somebody asks for.
type asker struct {
	*shared
	desired    *desired
	dispatcher *dispatcher
	launcher   *launcher
	events     *events
	asking     singleflight.Group // runs that are asked for with a key, by their id
}

// ask starts an experiment in force because somebody asks for it. Asking twice
// with one key starts one run, however close together: here the second waits for
// what becomes of the first, and of several servers the ledger lets one begin it.
func (k *asker) ask(ctx context.Context, want api.StartRequest, by, key string) (asked, error) {
	if key == "" {
		return k.askOnce(ctx, engine.NewRunID(), want, by)
	}
	id := keyedRunID(by, want, key)
	first := false
	got, err, _ := k.asking.Do(id, func() (any, error) {
		first = true
		if again, ok := k.askedBefore(ctx, id); ok {
			return again, nil
		}
		// Others wait for it, so it does not end with who asked first.
		a, err := k.askOnce(context.WithoutCancel(ctx), id, want, by)
		if err != nil {
			if again, ok := k.askedBefore(context.WithoutCancel(ctx), id); ok {
				return again, nil // another server was first
			}
		}
		return a, err
	})
	a, _ := got.(asked)
	a.Again = a.Again || !first && err == nil
	return a, err
}

// askedBefore finds what became of a run that was asked for with a key.
func (k *asker) askedBefore(ctx context.Context, id string) (asked, bool) {
	record, err := k.book.Find(ctx, id)
	if err != nil || record.ID != id {
		return asked{}, false
	}
	return asked{ID: id, Again: true, Refused: refusedReason(record), Cause: record.Cause}, true
}

// askOnce starts a run under an id. Locks, limits and freezes bind it as they
// bind a schedule.
func (k *asker) askOnce(ctx context.Context, id string, want api.StartRequest, by string) (asked, error) {
	name := want.Experiment
	h, ok := k.desired.experiment(name)
	if !ok {
		return asked{}, k.desired.missing(name)
	}
	a := asked{ID: id}
	trigger := &mishap.Trigger{Kind: mishap.TriggerAPI, By: by, Source: h.source}
	v, err := k.dispatcher.view(ctx, time.Now())
	if err != nil {
		return a, err
	}
	if lacks := h.Lacks(k.settings.Live().Labels); lacks != nil {
		a.Refused, a.Cause = "this server lacks what it needs ("+strings.Join(lacks, ", ")+"); ask one that has it", mishap.CausePolicy
		return a, k.recordRefusal(ctx, a, h, trigger)
	}
	if no := k.dispatcher.against(ctx, h, v, time.Now()); no != nil {
		a.Refused, a.Cause = no.Reason, no.Cause
		return a, k.recordRefusal(ctx, a, h, trigger)
	}
	return k.startAsked(ctx, a, h, trigger, want.NoFault)
}

func refusedReason(r ledger.Record) string {
	if r.State == mishap.Refused {
		return r.Reason
	}
	return ""
}

// startAsked plans and begins; the run then goes on without who asked.
func (k *asker) startAsked(ctx context.Context, a asked, h held, trigger *mishap.Trigger, noFault bool) (asked, error) {
	planning, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	plan, err := k.engine.PlanRun(planning, h.Experiment, noFault)
	if err != nil {
		a.Refused, a.Cause = err.Error(), mishap.CauseTarget
		return a, k.recordRefusal(ctx, a, h, trigger)
	}
	o := k.launcher.options(h, trigger)
	o.ID = a.ID
	o.Admit = func(f mishap.Facts) error {
		f.Approvals = mishap.OfOthers(f.Approvals, trigger.By)
		return k.launcher.admit(h, plan, f)
	}
	b, err := k.engine.Begin(ctx, plan, o)
	if cause, reason, refused := engine.NotBegun(err); refused {
		a.Refused, a.Cause = reason, cause
		return a, k.recordRefusal(ctx, a, h, trigger)
	}
	if errors.Is(err, ledger.ErrOutdated) {
		a.Refused, a.Cause = err.Error()+"; ask again when this server has read it", mishap.CausePolicy
		return a, k.recordRefusal(ctx, a, h, trigger)
	}
	if err != nil {
		return a, err
	}
	k.events.seen(b.First, nil)
	k.log.Info("run begins", "run", a.ID, "experiment", h.Name, "commit", h.Source.Commit, "by", trigger.By)
	k.launcher.runs.Go(func() {
		run, err := k.engine.Carry(k.life, b, nil, o)
		if err != nil {
			k.log.Error("run that was asked for", "run", a.ID, "error", err)
		}
		k.events.left(a.ID)
		k.events.ended(run)
	})
	return a, nil
}

// recordRefusal writes a run that did not start.
func (k *asker) recordRefusal(ctx context.Context, a asked, h held, trigger *mishap.Trigger) error {
	r := engine.Refused(engine.Planned(a.ID, trigger, engine.Unplanned(h.Experiment)), a.Cause, a.Refused)
	err := k.book.Refuse(ctx, k.member.Server(), []ledger.Refusal{r})
	k.events.refused(r)
	return err
}

// keyedRunID is the same for the same asker, experiment and key, so that the
// ledger itself remembers what was asked.
func keyedRunID(by string, want api.StartRequest, key string) string {
	text := by + "\x00" + want.Experiment + "\x00" + key
	if want.NoFault {
		text += "\x00no fault"
	}
	sum := sha256.Sum256([]byte(text))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:16])
}
