package aid

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/injectortest"
	"mishap/internal/keeper"
	"mishap/internal/member"
)

// TestFirstAidAsksAgainWhatIsNotBackYetAndWhatMayBeOfBefore reverts what a dead
// keeper had just begun to inject, where reads show what was 5 s before.
func TestFirstAidAsksAgainWhatIsNotBackYetAndWhatMayBeOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: 30 * time.Second, Starts: 20 * time.Second, Stale: 5 * time.Second}
		c.Run("i-1", "i-2")
		kind := c.Kind()
		injector, err := kind.New(injectortest.Fault(kind.Name, []string{"i-1", "i-2"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		found, err := injector.Prepare(t.Context(), mishap.Request{})
		if err != nil {
			t.Fatal(err)
		}
		var all []keeper.Held
		for i, in := range kind.Complete(found) {
			in.ID, in.Fault, in.Keys = string(rune('a'+i)), "f", nil
			found[i] = in
			all = append(all, keeper.Held{Injection: in, State: mishap.InjectionInjecting})
		}
		c.Judge(func(call string) injectortest.Fate {
			if call == "stop" {
				return injectortest.FailsAfter
			}
			return ""
		})
		mishap.InjectAll(t.Context(), injector, found)
		a := New(Options{Settings: &config.Settings{}, Member: member.New(member.Options{Log: slog.New(slog.DiscardHandler)}), Restore: kind.Restore})
		if left := a.revertHeld(t.Context(), "r", all); left != nil {
			t.Errorf("left are %v", left)
		}
		if c.State("i-1") != "running" || c.State("i-2") != "running" || c.Calls("start") > 3 {
			t.Errorf("they are %s and %s, after %d calls", c.State("i-1"), c.State("i-2"), c.Calls("start"))
		}
	})
}
