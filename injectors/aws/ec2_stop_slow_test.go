package aws_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/cloud"
)

const slowID = "i-0123456789abcdef0"

// slowEC2 is one instance that takes its time, without a network, so that it
// works on fake time.
type slowEC2 struct {
	states  []string            // what one look after the other says; the last one stays
	extra   string              // more XML of the instance
	refuses map[string]string   // action, with "?" for its dry run → error code
	after   map[string][]string // what the looks say after an action
	calls   []string            // actions that were asked for, without those that only read
	broken  int                 // how many calls that change something fail without an answer
}

// Do answers one call of the SDK.
func (s *slowEC2) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	action := form.Get("Action")
	name := action
	if form.Get("DryRun") == "true" {
		name += "?"
	}
	if !strings.HasPrefix(action, "Describe") {
		s.calls = append(s.calls, name)
		if s.broken > 0 {
			s.broken--
			return nil, errors.New("connection reset by peer")
		}
	}
	if code := s.refuses[name]; code != "" {
		return xmlAnswer(400, "<Response><Errors><Error><Code>"+code+"</Code><Message>no</Message></Error></Errors></Response>"), nil
	}
	switch {
	case name != action:
		return xmlAnswer(412, "<Response><Errors><Error><Code>DryRunOperation</Code><Message>yes</Message></Error></Errors></Response>"), nil
	case action == "DescribeInstances":
		now := s.states[0]
		if len(s.states) > 1 {
			s.states = s.states[1:]
		}
		return xmlAnswer(200, fmt.Sprintf("<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>%s</instanceId><instanceState><name>%s</name></instanceState>%s</item></instancesSet></item></reservationSet></DescribeInstancesResponse>", slowID, now, s.extra)), nil
	}
	if next := s.after[action]; next != nil {
		s.states = slices.Clone(next)
	}
	return xmlAnswer(200, "<"+action+"Response></"+action+"Response>"), nil
}

func xmlAnswer(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(body))}
}

func (s *slowEC2) deps(account string) aws.Deps {
	return depsFor(cloud.Place{At: cloud.At{Account: account, Region: motoRegion}, Config: configFor("http://ec2.test", s)})
}

// slowRecord is an injection as it is read from a ledger.
func slowRecord() mishap.Injection {
	return mishap.Injection{ID: "run.1.1", Run: "run", Injector: "ec2-stop",
		Undo: raw(map[string]string{"account": motoAccount, "region": motoRegion, "instance": slowID})}
}

func restored(t *testing.T, d aws.Deps) mishap.Injector {
	t.Helper()
	injector, err := kind(d, "ec2-stop").Restore(slowRecord())
	if err != nil {
		t.Fatal(err)
	}
	return injector
}

func slowFault() mishap.Fault {
	return fault("ec2-stop", map[string][]string{"ids": {slowID}}, nil)
}

// revertedAtLast asks until the revert is over, as a run does.
func revertedAtLast(ctx context.Context, injector mishap.Injector, in mishap.Injection) (mishap.Reverted, error) {
	for {
		got, err := injector.Revert(ctx, in)
		if err != nil || got.State != mishap.InjectionReverting {
			return got, err
		}
		if got.Again == 0 {
			return got, errors.New("it does not say when to ask again")
		}
		select {
		case <-ctx.Done():
			return got, ctx.Err()
		case <-time.After(got.Again.Std()):
		}
	}
}

func TestEC2RevertIsOverWhenTheInstanceRuns(t *testing.T) {
	for _, test := range []struct {
		name   string
		states []string
		after  []string // once started
		want   mishap.InjectionState
		detail string
		calls  []string
	}{
		{"running already", []string{"running"}, nil, mishap.InjectionReverted, "instance is running", nil},
		{"still stopping", []string{"stopping", "stopping", "stopped"}, []string{"pending", "running"}, mishap.InjectionReverted, "instance is running", []string{"StartInstances"}},
		{"seen as stopped after its start", []string{"stopped", "stopped", "pending", "running"}, nil, mishap.InjectionReverted, "instance is running", []string{"StartInstances"}},
		{"terminated while stopping", []string{"stopping", "shutting-down"}, nil, mishap.InjectionGone, "instance is shutting-down", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slowEC2{states: test.states, after: map[string][]string{"StartInstances": test.after}}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				got, err := revertedAtLast(ctx, restored(t, s.deps(motoAccount)), slowRecord())
				if err != nil || got.State != test.want || got.Detail != test.detail {
					t.Errorf("revert: %+v, %v", got, err)
				}
				if diff := cmp.Diff(test.calls, s.calls); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestEC2RevertGoesOnWhileTheInstanceFallsBackAndAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A start that cannot decrypt the volumes: accepted, pending, stopped.
		s := &slowEC2{states: []string{"stopped"}, after: map[string][]string{"StartInstances": {"pending", "pending", "stopped"}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if got, err := revertedAtLast(ctx, restored(t, s.deps(motoAccount)), slowRecord()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("revert: %+v, %v", got, err)
		}
		if n := len(s.calls); n < 2 || n > 5 {
			t.Errorf("it was asked to start %d times in a minute", n)
		}
	})
}

func TestNoCallOfAnInjectorWaitsForARevert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowEC2{states: []string{"stopping"}}
		start := time.Now()
		got, err := restored(t, s.deps(motoAccount)).Revert(t.Context(), slowRecord())
		if err != nil || got.State != mishap.InjectionReverting || time.Since(start) > time.Second {
			t.Errorf("after %s: %+v, %v", time.Since(start), got, err)
		}
	})
}

func TestEC2InjectReadsBackAndNeverRepeatsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowEC2{states: []string{"running", "running", "running", "stopping"}}
		if err := restored(t, s.deps(motoAccount)).Inject(t.Context(), slowRecord()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"StopInstances"}, s.calls); diff != "" {
			t.Error(diff)
		}
		s = &slowEC2{states: []string{"running"}, broken: 1}
		if err := restored(t, s.deps(motoAccount)).Inject(t.Context(), slowRecord()); err == nil || len(s.calls) != 1 {
			t.Errorf("inject over a broken connection: %v, calls %q", err, s.calls)
		}
	})
}

func TestEC2StopRefusesWhatItCouldNotUndo(t *testing.T) {
	for _, test := range []struct {
		name, extra string
		refuses     map[string]string
		want        string
	}{
		{"spot", "<instanceLifecycle>spot</instanceLifecycle>", nil, "is a spot instance"},
		{"instance store", "<rootDeviceType>instance-store</rootDeviceType>", nil, "root on instance store"},
		{"may not stop", "", map[string]string{"StopInstances?": "UnauthorizedOperation"}, "ec2:StopInstances in 123456789012 eu-west-1: UnauthorizedOperation"},
		{"may not start", "", map[string]string{"StartInstances?": "UnauthorizedOperation"}, "ec2:StartInstances in 123456789012 eu-west-1: UnauthorizedOperation"},
		{"may not look", "", map[string]string{"DescribeInstances": "UnauthorizedOperation"}, "ec2:DescribeInstances in 123456789012 eu-west-1: UnauthorizedOperation"},
		{"expired", "", map[string]string{"DescribeInstances": "RequestExpired"}, "RequestExpired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &slowEC2{states: []string{"running"}, extra: test.extra, refuses: test.refuses}
			injector, err := kind(s.deps(motoAccount), "ec2-stop").New(slowFault())
			if err != nil {
				t.Fatal(err)
			}
			var hinted *mishap.Hinted
			found, err := injector.Prepare(t.Context(), mishap.Request{Fault: slowFault()})
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.As(err, &hinted) || found != nil {
				t.Errorf("prepare: %d found, %v; want %q and a hint", len(found), err, test.want)
			}
			if i := slices.IndexFunc(s.calls, func(c string) bool { return !strings.HasSuffix(c, "?") }); i >= 0 {
				t.Errorf("preparing called %s", s.calls[i])
			}
		})
	}
}
