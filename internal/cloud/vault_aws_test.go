package cloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
	"mishap/internal/vault"
)

func here() awsfake.Place { return awsfake.Place{Account: "111111111111", Region: "eu-west-1"} }

// parameters are the vault of a place in it, as the settings would list it.
func parameters(c *awsfake.Cloud, through *cloud.Cloud, key string, where mishap.Place) *cloud.Parameters {
	at := cloud.At{Account: where.Account, Region: where.Region}
	return cloud.Place{At: at, Config: through.Calls(c.Config(key, at.Region), at.Account)}.Parameters("/mishap", "")
}

// vaults are those of somebody with a key, in an AWS in memory.
func vaults(c *awsfake.Cloud, key string) *vault.Vaults {
	through := cloud.New()
	return &vault.Vaults{By: "ann@laptop", Log: slog.New(slog.DiscardHandler), Open: func(_ context.Context, where mishap.Place) (vault.Store, error) {
		return parameters(c, through, key, where), nil
	}}
}

func injections(run string, n int) (all []mishap.Injection) {
	for i := range n {
		id := fmt.Sprintf("i-%017x", i)
		all = append(all, mishap.Injection{
			ID: fmt.Sprintf("%s.1.%d", run, i+1), Run: run, Fault: "stop", Injector: "ec2-stop",
			Target: mishap.Target{ID: id, Kind: "ec2-instance", Where: mishap.Place{Account: here().Account, Region: here().Region}},
			Undo:   json.RawMessage(`{"instance":"` + id + `"}`), Keys: []mishap.Key{{Thing: "aws/instance/" + id, Attribute: "state"}},
		})
	}
	return all
}

// left are the parameters there.
func left(t *testing.T, c *awsfake.Cloud) (names []string) {
	t.Helper()
	p := parameters(c, cloud.New(), here().Account, mishap.Place{Account: here().Account, Region: here().Region})
	for _, folder := range []string{"undo", "holds", "claims"} {
		err := p.List(t.Context(), folder, func(items []vault.Item, _ time.Time) error {
			for _, item := range items {
				names = append(names, item.Name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func TestARunOnAHundredInstancesIsNeverThrottledByParameterStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := awsfake.New(awsfake.Slow())
		c.Enter(here())
		k := vaults(c, here().Account).Keep("run1")
		if err := k.Hold(t.Context(), injections("run1", 100)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if got := len(left(t, c)); got != 102 {
			t.Errorf("%d parameters", got)
		}
		if err := k.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		throttled := 0
		for _, call := range c.Calls() {
			if strings.HasPrefix(call.Error, "Throttling") {
				throttled++
			}
		}
		if names := left(t, c); names != nil || throttled > 0 {
			t.Errorf("%d of %d calls throttled; left: %s", throttled, len(c.Calls()), names)
		}
	})
}

func TestTheActionsOfAVaultAreWhatItNeedsAndWithoutOneNothingIsHeld(t *testing.T) {
	needs := cloud.VaultNeeds(mishap.Place{Account: here().Account, Region: here().Region}, "/mishap", "")[0]
	all := needs.Actions
	for _, without := range append([]string{""}, all...) {
		synctest.Test(t, func(t *testing.T) {
			c := awsfake.New(awsfake.Settings{})
			c.Enter(here())
			actions, err := json.Marshal(slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == without }))
			if err != nil {
				t.Fatal(err)
			}
			c.AddRole(here().Account, "mishap", "", map[string]string{"vault": `{"Statement": {"Effect": "Allow", "Action": ` + string(actions) + `, "Resource": "` + needs.Resources[0] + `"}}`}, nil)
			v := vaults(c, c.Key(here().Account, "role/mishap"))
			k := v.Keep("run1")
			err = k.Hold(t.Context(), injections("run1", 2))
			switch {
			case without == "" && err != nil:
				t.Errorf("with all: %v", err)
			case without != "" && (err == nil || !strings.Contains(err.Error(), without) || !strings.Contains(mishap.HintOf(err), without)):
				t.Errorf("without %s: %v; hint: %s", without, err, mishap.HintOf(err))
			}
			if err := k.Settle(t.Context(), nil); (err != nil) != (without == "ssm:DeleteParameters") {
				t.Errorf("without %q: settle: %v", without, err)
			}
			if names := left(t, c); names != nil {
				t.Errorf("without %q: left: %s", without, names)
			}
			if without == "" {
				swept := v.Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{{Account: here().Account, Region: here().Region}}, Revert: func(context.Context, []mishap.Injection) []vault.Ended { return nil }})
				if swept.Places[0].Err != nil {
					t.Error(swept.Places[0].Err)
				}
			}
		})
	}
}

// Whatever becomes of one call, the run holds all or refuses, and leaves nothing.
func TestWhateverBecomesOfOneCallAVaultHoldsAllOrNothing(t *testing.T) {
	fates := map[string]awsfake.Fate{
		"refused": awsfake.FailsBefore("InternalServerError"), "refused after": awsfake.FailsAfter("InternalServerError"), "throttled": awsfake.FailsBefore("ThrottlingException"),
		"answer lost": awsfake.LosesAnswer(), "call lost": awsfake.LosesCall(), "late": awsfake.AnswersLate(5 * time.Second), "acts late": awsfake.ActsLate(3 * time.Second),
		"denied": awsfake.FailsBefore("AccessDeniedException"),
	}
	for name, fate := range fates {
		held, refused := 0, 0
		for n, calls := 0, 1; n < calls; n++ {
			synctest.Test(t, func(t *testing.T) {
				settings := awsfake.Slow()
				c := awsfake.New(settings)
				c.Enter(here())
				at, ours := 0, true
				c.Judge(func(awsfake.Call) awsfake.Fate {
					if ours {
						at++
					}
					if ours && at == n+1 {
						return fate
					}
					return awsfake.Fate{}
				})
				look := func() []string { // without any fate
					ours = false
					defer func() { ours = true }()
					return left(t, c)
				}
				v := vaults(c, here().Account)
				k := v.Keep("run1")
				if err := k.Hold(t.Context(), injections("run1", 3)); err == nil {
					held++
					time.Sleep(5 * time.Second)
					if names := look(); len(names) != 4 {
						t.Errorf("%s at call %d: held, and there is %s", name, n, names)
					}
				} else {
					refused++
				}
				_ = k.Settle(t.Context(), nil)
				calls = at
				time.Sleep(3 * time.Minute)
				ours = false
				v.Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{{Account: here().Account, Region: here().Region}}, Revert: func(_ context.Context, all []mishap.Injection) []vault.Ended {
					return slices.Repeat([]vault.Ended{{State: mishap.InjectionReverted}}, len(all))
				}})
				time.Sleep(time.Minute)
				if names := left(t, c); names != nil {
					t.Errorf("%s at call %d: left: %s", name, n, names)
				}
			})
		}
		t.Logf("%s, at each call in turn: held %d times, refused %d times", name, held, refused)
		if held == 0 || name == "denied" && refused == 0 {
			t.Errorf("%s: held %d times, refused %d times", name, held, refused)
		}
	}
}

func TestReadsOfThePastLetNoTwoLedgersHoldOneThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := awsfake.Slow()
		settings.Stale = 8 * time.Second
		c := awsfake.New(settings)
		c.Enter(here())
		held := make(chan *vault.Keep, 6)
		for i := range 6 {
			run := fmt.Sprint("run", i)
			go func() {
				k := vaults(c, here().Account).Keep(run)
				if err := k.Hold(t.Context(), injections(run, 2)); err == nil {
					held <- k
					return
				}
				_ = k.Settle(t.Context(), nil)
			}()
		}
		time.Sleep(3 * time.Minute)
		if len(held) > 1 {
			t.Errorf("%d hold it", len(held))
		}
		for range len(held) {
			_ = (<-held).Settle(t.Context(), nil)
		}
		time.Sleep(time.Minute)
		if names := left(t, c); names != nil {
			t.Errorf("left: %s", names)
		}
	})
}
