package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/desk"
	"mishap/internal/ledger"
)

// viewRoutes are what people look at: much at once, in pages.
func (a *API) viewRoutes(to huma.API) {
	route(a, to, config.Viewer, "GET", "/v1/me", "whoAmI", "Who asks, and what they may", a.apiWho)
	route(a, to, config.Viewer, "GET", "/v1/now", "getNow", "The runs that are not over, as they stand", a.apiNow)
	route(a, to, config.Viewer, "GET", "/v1/overview", "getOverview", "Experiments in force with all that decides whether they run, in pages", a.apiOverview)
}

func (a *API) apiWho(ctx context.Context, _ *struct{}) (*body[api.Who], error) {
	who := callerOf(ctx)
	return &body[api.Who]{api.Who{Name: who.name, Role: string(who.role)}}, nil
}

func (a *API) apiNow(ctx context.Context, _ *struct{}) (*body[api.Now], error) {
	now, err := a.standing.now(ctx, time.Now())
	return &body[api.Now]{now}, err
}

func (a *API) apiOverview(ctx context.Context, in *desk.OverviewQuery) (*body[api.Overview], error) {
	page, err := a.desk.Overview(ctx, a.server.Experiments(), *in, time.Now())
	return &body[api.Overview]{page}, err
}

const (
	sameNow  = 400 * time.Millisecond // for whoever asks within it, how many they are
	sameAway = 3 * time.Second        // of runs of other servers, whose journals are read
)

// standing is how the runs stand that are not over, found once for all who ask at
// about the same time.
type standing struct {
	server Server
	desk   *desk.Desk
	book   ledger.Ledger

	mu     sync.Mutex
	last   api.Now
	events int64
	away   map[string]seenAway
}

// seenAway is a run of another server, as its journal had it.
type seenAway struct {
	at  time.Time
	run *mishap.Run
}

func (s *standing) now(ctx context.Context, now time.Time) (api.Now, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.last.At); age >= 0 && age < sameNow {
		return s.last, nil
	}
	active, err := s.book.Unfinished(ctx)
	if err != nil {
		return api.Now{}, err
	}
	here, events := s.server.Going()
	runs := map[string]*mishap.Run{}
	for _, r := range here {
		runs[r.ID] = r
	}
	found := api.Now{At: now.UTC(), Events: events, Going: []api.Going{}}
	away := map[string]seenAway{}
	for _, record := range active {
		run := runs[record.ID]
		if run == nil {
			if run, err = s.elsewhere(ctx, record.ID, now, away); err != nil {
				return api.Now{}, err
			}
		}
		found.Going = append(found.Going, s.desk.Going(run))
	}
	s.last, s.away = found, away
	return found, nil
}

// elsewhere replays a run that goes on in another server, or in none.
func (s *standing) elsewhere(ctx context.Context, id string, now time.Time, keep map[string]seenAway) (*mishap.Run, error) {
	known, ok := s.away[id]
	if age := now.Sub(known.at); !ok || age < 0 || age > sameAway {
		entries, err := s.book.Entries(ctx, id)
		if err != nil {
			return nil, err
		}
		if known.run, err = mishap.Replay(entries); err != nil {
			return nil, err
		}
		known.at = now
	}
	keep[id] = known
	return known.run, nil
}
