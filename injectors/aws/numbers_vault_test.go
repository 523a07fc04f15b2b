package aws_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
	"mishap/internal/injectortest"
	"mishap/internal/sweep"
	"mishap/internal/vault"
)

// figure tells `make bench-aws` what was measured.
func figure(t *testing.T, what, wanted, is string, fine bool) {
	t.Helper()
	t.Logf("figure|%s|%s|%s|%t", what, wanted, is, fine)
	if !fine {
		t.Errorf("%s: %s, wanted %s", what, is, wanted)
	}
}

// manyPlaces are two accounts in three regions.
func manyPlaces() (all []mishap.Place) {
	for _, account := range []string{"111111111111", "222222222222"} {
		for _, region := range []string{"eu-west-1", "eu-central-1", "us-east-1"} {
			all = append(all, mishap.Place{Account: account, Region: region})
		}
	}
	return all
}

// reaches is a process that reaches all accounts.
func reaches(c *awsfake.Cloud) (aws.Deps, *vault.Vaults) {
	client := cloud.New()
	place := func(at cloud.At) cloud.Place {
		return cloud.Place{At: at, Config: client.Calls(c.Config(at.Account, at.Region), at.Account), Caller: "arn:aws:iam::" + at.Account + ":user/admin"}
	}
	deps := aws.Deps{
		Place: func(_ context.Context, account, region string) (cloud.Place, error) {
			return place(cloud.At{Account: account, Region: region}), nil
		},
		Recorded: func(_ context.Context, at cloud.At) (cloud.Place, error) { return place(at), nil },
	}
	return deps, &vault.Vaults{By: "ann@laptop", Log: quiet(), Open: func(_ context.Context, where mishap.Place) (vault.Store, error) {
		return place(cloud.At{Account: where.Account, Region: where.Region}).Parameters("/mishap", ""), nil
	}}
}

// stopped are instances of a place that runs stopped, one each, which are no more.
func stopped(t *testing.T, c *awsfake.Cloud, where mishap.Place, n int) {
	t.Helper()
	deps, vaults := reaches(c)
	p := awsfake.Place{Account: where.Account, Region: where.Region}
	c.Launch(c.Enter(p), n, map[string]string{"Role": "payments"})
	f := injectortest.Fault("ec2-stop", map[string]any{"account": where.Account, "region": where.Region, "tags": map[string]string{"Role": "payments"}}, nil)
	k := kind(deps, "ec2-stop")
	injector, err := k.New(f)
	if err != nil {
		t.Fatal(err)
	}
	found, err := injector.Prepare(t.Context(), mishap.Request{Run: "plan", Fault: f})
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range k.Complete(found) {
		in.Run = fmt.Sprintf("%s%s%d", where.Account[:1], where.Region[3:5], i)
		in.ID, in.Fault = in.Run+".1.1", "f"
		all := []mishap.Injection{in}
		keep := vaults.Keep(in.Run)
		if err := keep.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if err := keep.Settle(t.Context(), all); err != nil { // which leaves it, and ends what says that the run lives
			t.Fatal(err)
		}
		if err := injector.Inject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAThousandLostRunsAreListedAndRevertedInTime is about a thousand servers that
// were lost with their keepers, ledgers and state directories; sixty, if there is
// no MISHAP_BENCH_AWS.
func TestAThousandLostRunsAreListedAndRevertedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := awsfake.New(awsfake.Settings{})
		all := 60
		if os.Getenv("MISHAP_BENCH_AWS") != "" {
			all = 1000
		}
		for n, where := range manyPlaces() {
			stopped(t, c, where, (all+5-n)/6)
		}
		time.Sleep(2 * time.Minute)
		slow := awsfake.Slow()
		c.Set(func(s *awsfake.Settings) { slow.Now = s.Now; *s = slow })
		c.Judge(func(awsfake.Call) awsfake.Fate { return awsfake.AnswersLate(100 * time.Millisecond) })
		deps, vaults := reaches(c)
		s := &sweep.Sweeper{Vaults: vaults, Places: manyPlaces(), RevertWithin: 2 * time.Minute, Log: quiet(), Restore: func(in mishap.Injection) (mishap.Injector, error) {
			return kind(deps, in.Injector).Restore(in)
		}}
		began := time.Now()
		n := len(s.List(t.Context()).Records)
		took := time.Since(began)
		figure(t, fmt.Sprintf("%d records in the vaults of 2 accounts × 3 regions listed", all), "≤ 10 s", took.Round(time.Millisecond).String(), n == all && took <= 10*time.Second)
		c.Forget()
		began = time.Now()
		swept := s.Sweep(t.Context(), nil)
		took = c.Calls("ec2:StartInstances")[0].At.Sub(began)
		figure(t, "first revert of a sweep after all of mishap was lost", "≤ 2 s", took.Round(time.Millisecond).String(), took <= 2*time.Second)
		out, left := 0, 0
		for _, f := range swept.Records {
			if f.Out() && f.Problem == nil {
				out++
			}
		}
		for _, where := range manyPlaces() {
			p := awsfake.Place{Account: where.Account, Region: where.Region}
			left += len(c.All(p, awsfake.Parameter))
			for _, i := range c.All(p, awsfake.Instance) {
				if i.Str("instanceState.name") != "running" {
					left++
				}
			}
		}
		figure(t, fmt.Sprintf("left in AWS and in the vaults when all %d were swept, and how long that took", all), "0", fmt.Sprintf("%d; %s", left, time.Since(began).Round(time.Second)), out == all && left == 0)
	})
}

// TestWhatRevertsAHundredInstancesIsDurableInTime counts what a run waits for before
// it injects: a claim each, at three writes a second.
func TestWhatRevertsAHundredInstancesIsDurableInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := awsfake.New(awsfake.Slow())
		here := manyPlaces()[0]
		c.Launch(c.Enter(awsfake.Place{Account: here.Account, Region: here.Region}), 100, map[string]string{"Role": "payments"})
		time.Sleep(time.Minute)
		deps, vaults := reaches(c)
		k := kind(deps, "ec2-stop")
		f := ofARole(time.Minute)
		f.Targets = raw(`{"account": "` + here.Account + `", "region": "` + here.Region + `", "tags": {"Role": "payments"}}`)
		injector, err := k.New(f)
		if err != nil {
			t.Fatal(err)
		}
		all, err := injector.Prepare(t.Context(), mishap.Request{Run: "plan", Fault: f})
		if err != nil {
			t.Fatal(err)
		}
		for i := range k.Complete(all) {
			all[i].ID, all[i].Run, all[i].Fault = fmt.Sprint("run.1.", i), "run", "f"
		}
		c.Forget()
		began, keep := time.Now(), vaults.Keep("run")
		if err := keep.Hold(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		took, said := time.Since(began), vault.Takes(all)[here]
		figure(t, "what reverts 100 instances is durable in the vault, and how many writes that takes", "as planned: "+said.Round(time.Second).String(),
			fmt.Sprintf("%s; %d", took.Round(100*time.Millisecond), len(c.Calls("ssm:PutParameter"))), took <= said+3*time.Second)
		if err := keep.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	})
}
