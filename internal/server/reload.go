package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/notify"
)

// reloader puts changed settings in force while the server runs: all of those that can be,
// or, if anything is wrong with any, none.
type reloader struct {
	*shared
	follower  *follower
	announcer *announcer
	notifier  *notify.Notifier
}

// loop reloads each time it is asked to.
func (r *reloader) loop(ctx context.Context, asked <-chan struct{}) {
	for {
		select {
		case <-asked:
		case <-ctx.Done():
			return
		}
		said := r.reload()
		if err := r.book.Record(context.WithoutCancel(ctx), ledger.Act{At: time.Now(), By: "SIGHUP", What: said}); err != nil {
			r.log.Error("write audit", "error", err)
		}
		r.log.Info("reload: every source is looked at now", "sources", r.follower.refreshAll())
		r.nudge()
	}
}

// reload reads the settings, takes over what can be, and says what came of it.
func (r *reloader) reload() string {
	next, err := r.settings.Reread()
	var take func(changed []config.Difference)
	if err == nil {
		take, err = r.prepare(&next)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			r.log.Error("reload: settings stay as they were: what was read is wrong", "problem", strings.TrimSuffix(line, "\n"))
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		return "reload: settings stay as they were: " + first
	}
	changed, waiting := r.settings.Differences(&next)
	take(changed)
	said := "reload: no setting has changed"
	if len(changed) > 0 {
		said = "reload: took over " + list(changed)
		r.log.Info("reload: settings taken over", "settings", list(changed))
	}
	if len(waiting) > 0 {
		said += "; needs a restart: " + list(waiting)
		r.log.Warn("reload: settings that need a restart are as they were", "settings", list(waiting))
	}
	if len(changed)+len(waiting) == 0 {
		r.log.Info("reload: no setting has changed", "file", next.File)
	}
	return said
}

// prepare makes all that is made of settings, and changes nothing. What it answers puts
// them in force, and cannot fail.
func (r *reloader) prepare(next *config.Settings) (take func(changed []config.Difference), err error) {
	rules, badRules := r.catalog.Reload(next)
	digest, badDigest := newDigest(next)
	told, badTargets := targets(next)
	if err := errors.Join(r.settings.Beyond(next.Live()), badRules, badDigest, badTargets); err != nil {
		return nil, err
	}
	return func(changed []config.Difference) {
		if len(changed) > 0 {
			r.settings.Put(next.Live())
		}
		if slices.ContainsFunc(changed, func(d config.Difference) bool { return d.Key == "governor" }) {
			rules() // else a calendar would forget what it knows
		}
		r.announcer.digest.Store(digest)
		r.notifier.Retarget(told) // also if no setting has changed: a secret may have
	}, nil
}

func list(all []config.Difference) string {
	var texts []string
	for _, d := range all {
		texts = append(texts, fmt.Sprint(d))
	}
	return strings.Join(texts, ", ")
}
