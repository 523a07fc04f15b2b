package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"mishap/internal/ledger"
	"mishap/internal/plaintext"
)

// audit is where what somebody did and was refused is written.
type audit struct {
	book     ledger.Ledger
	log      *slog.Logger
	refusals refusals
}

// denied answers with a problem and writes it to the audit.
func (a *audit) denied(w http.ResponseWriter, r *http.Request, who caller, status int, why string) {
	a.turnAway(r.Context(), who, r.Method+" "+r.URL.Path+": "+why)
	w.Header().Set("Connection", "close") // nobody waits for the rest of what it sends
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mishap"`)
	}
	writeProblem(w, status, why)
}

// turnAway writes to the audit what a caller was refused, or counts it.
func (a *audit) turnAway(ctx context.Context, who caller, what string) {
	if a.refusals.lists(who) {
		a.acted(ctx, who.name, "refused "+what)
	}
}

// acted writes what somebody did.
func (a *audit) acted(ctx context.Context, by, what string) {
	a.record(ctx, ledger.Act{At: time.Now(), By: by, What: what})
}

func (a *audit) record(ctx context.Context, act ledger.Act) {
	const most = 500
	if len(act.What) > most {
		act.What = act.What[:most] + "…"
	}
	act.What = plaintext.Line(plaintext.Of(act.What)) // a path may be anything, and PostgreSQL takes text without zero bytes
	if err := a.book.Record(context.WithoutCancel(ctx), act); err != nil {
		a.log.Error("write audit", "by", act.By, "what", act.What, "error", err)
	}
}

// sumLoop writes once a minute what was counted, and at last when the server ends.
func (a *audit) sumLoop(ctx context.Context) {
	tick := time.NewTicker(sumEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		for _, act := range a.refusals.sum(time.Now()) {
			a.record(ctx, act)
		}
		if ctx.Err() != nil {
			return
		}
	}
}
