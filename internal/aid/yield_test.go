package aid

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

// lapsing is a ledger in which this server's lease is over, or not; it may hang.
type lapsing struct {
	ledger.Ledger
	lapsed, hangs bool
	holder        string
	state         mishap.InjectionState
	asked         int
}

func (l *lapsing) Lapsed(string) bool { return l.lapsed }

func (l *lapsing) Holder(context.Context, string) (string, error) { return l.holder, nil }

func (l *lapsing) InjectionState(ctx context.Context, _ string) (mishap.InjectionState, error) {
	l.asked++
	if l.hangs {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return l.state, nil
}

func newAider() *Aider {
	settings := &config.Settings{}
	c := catalog.New(catalog.Options{Settings: settings})
	return New(Options{Settings: settings, Member: member.New(member.Options{Log: slog.New(slog.DiscardHandler)}), Kinds: c.Kinds, Restore: c.Restore})
}

// TestAThawedServerRevertsNothingThatAnotherRunMayHaveInjected is about targets
// that cannot hold whose injection is in them.
func TestAThawedServerRevertsNothingThatAnotherRunMayHaveInjected(t *testing.T) {
	away := mishap.Place{Host: "aws"}
	for _, c := range []struct {
		name     string
		book     lapsing
		where    mishap.Place
		injector string
		why      string // empty: it is reverted
		asked    int
	}{
		{"the lease goes on", lapsing{holder: "other"}, away, "ec2-stop", "", 0},
		{"still its own", lapsing{lapsed: true, holder: "mine", state: mishap.InjectionInjected}, away, "ec2-stop", "", 1},
		{"another run's", lapsing{lapsed: true, holder: "other", state: mishap.InjectionReverted}, away, "ec2-stop", "has reverted it", 1},
		{"another run's, and its own was lost", lapsing{lapsed: true, holder: "other"}, away, "ec2-stop", "belongs to run other", 1},
		{"over", lapsing{lapsed: true, state: mishap.InjectionReverted}, away, "ec2-stop", "has reverted it", 1},
		{"lost by the database", lapsing{lapsed: true}, away, "ec2-stop", "", 1},
		{"lost by the database but for its undo", lapsing{lapsed: true, state: mishap.InjectionPrepared}, away, "ec2-stop", "", 1},
		{"in this machine", lapsing{lapsed: true, holder: "other"}, mishap.Place{}, "process-stop", "", 0},
		{"it bears its own id", lapsing{lapsed: true, holder: "other"}, away, "proxy-latency", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAider()
			in := mishap.Injection{Run: "mine", Injector: c.injector, Keys: []mishap.Key{{Thing: "k", Attribute: "a"}}, Target: mishap.Target{Where: c.where}}
			why, err := a.YieldIfLapsed(&c.book, "me")(t.Context(), in)
			if err != nil || (why == "") != (c.why == "") || !strings.Contains(why, c.why) || c.book.asked != c.asked {
				t.Errorf("yields: %q, %v, asked %d times", why, err, c.book.asked)
			}
		})
	}
}

func TestALapsedServerThatCannotAskLeavesARevertToTheNewOwnerAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAider()
		in := mishap.Injection{Run: "mine", Injector: "ec2-stop", Keys: []mishap.Key{{Thing: "k"}}, Target: mishap.Target{Where: mishap.Place{Host: "aws"}}}
		began := time.Now()
		why, err := a.YieldIfLapsed(&lapsing{lapsed: true, hangs: true}, "me")(t.Context(), in)
		if took := time.Since(began); why != "" || !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
			t.Errorf("%q, %v after %s", why, err, took)
		}
	})
}
