package notify_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap/internal/notify"
)

func TestOnlyWhatMayPassIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		code, tries int
	}{
		{200, 1}, {202, 1}, {204, 1}, {301, 1}, {304, 1}, {400, 1}, {401, 1}, {403, 1}, {404, 1}, {410, 1}, {413, 1}, {422, 1},
		{408, 2}, {425, 2}, {429, 2}, {500, 2}, {502, 2}, {503, 2}, {504, 2}, {599, 2},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			r, log := answering(status(c.code, ""), status(200, "")), &lines{}
			onFakeTime(t, r, notify.Options{Log: log.logger()}, func(n *notify.Notifier) {
				n.Tell(notify.Message{Event: notify.Ended})
				_ = closeIn(n, time.Hour)
				s, failed := n.Stats()[0], uint64(0)
				if c.tries == 1 && c.code >= 300 {
					failed = 1
				}
				if len(r.requests()) != c.tries || s.Failed != failed || s.Sent != 1-failed {
					t.Errorf("%d tries, stats %+v", len(r.requests()), s)
				}
				if got := log.count("level=ERROR"); got != int(failed) || failed == 1 && log.count("\n") != 1 {
					t.Errorf("log is %s", log)
				}
			})
		})
	}
}

func TestTriesBackOffExponentiallyWithJitterUntilGivenUp(t *testing.T) {
	r := answering(status(500, ""))
	onFakeTime(t, r, notify.Options{}, func(n *notify.Notifier) {
		start := time.Now()
		n.Tell(notify.Message{ID: "same", Event: notify.Ended})
		if err := closeIn(n, 3*time.Hour); err == nil || !strings.Contains(err.Error(), "1 message") {
			t.Errorf("Close says %v", err)
		}
		if took := time.Since(start); took > time.Hour || took < time.Hour-2*time.Minute {
			t.Errorf("gave up after %v", took)
		}
		got := r.requests()
		want, jitter := 500*time.Millisecond, false
		for i := 1; i < len(got); i++ {
			wait := got[i].at.Sub(got[i-1].at)
			if wait < want/2 || wait > min(want*3/2, time.Minute) {
				t.Errorf("wait %d is %v, want about %v", i, wait, want)
			}
			jitter = jitter || wait != want && wait < time.Minute
			want = min(2*want, time.Minute)
			if string(got[i].body) != string(got[0].body) {
				t.Errorf("try %d says something else", i)
			}
		}
		if !jitter || len(got) < 60 {
			t.Errorf("%d tries, jitter %v", len(got), jitter)
		}
		if e := n.Stats()[0].LastError; !strings.Contains(e, "give up after 1h") {
			t.Errorf("error is %s", e)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  int
		value func() string
		want  time.Duration // less than a second: the backoff's own
	}{
		{"seconds", 429, func() string { return "7" }, 7 * time.Second},
		{"seconds, unavailable", 503, func() string { return "7" }, 7 * time.Second},
		{"date", 503, func() string { return time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat) }, 90 * time.Second},
		{"capped", 429, func() string { return "86400" }, 5 * time.Minute},
		{"capped, absurd", 429, func() string { return "9223372036854775807" }, 5 * time.Minute},
		{"capped date", 429, func() string { return time.Now().Add(time.Hour).UTC().Format(http.TimeFormat) }, 5 * time.Minute},
		{"past date", 429, func() string { return time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat) }, 0},
		{"negative", 429, func() string { return "-5" }, 0},
		{"nonsense", 429, func() string { return "soon" }, 0},
		{"of another status", 500, func() string { return "7" }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := answering(func(w http.ResponseWriter) { status(c.code, "", "Retry-After", c.value())(w) }, status(200, ""))
			onFakeTime(t, r, notify.Options{}, func(n *notify.Notifier) {
				n.Tell(notify.Message{Event: notify.Ended})
				if err := closeIn(n, time.Hour); err != nil {
					t.Fatal(err)
				}
				wait := r.requests()[1].at.Sub(r.requests()[0].at)
				if c.want > 0 && wait != c.want || c.want == 0 && wait > time.Second {
					t.Errorf("waited %v", wait)
				}
			})
		})
	}
}

func TestATargetIsLeftAloneAsLongAsItAskedWhenItsMessageIsGivenUp(t *testing.T) {
	r := answering(status(429, "", "Retry-After", "120"), status(200, ""))
	onFakeTime(t, r, notify.Options{GiveUp: time.Minute}, func(n *notify.Notifier) {
		n.Tell(notify.Message{Event: notify.Ended})
		n.Tell(notify.Message{Event: notify.Ended})
		_ = closeIn(n, time.Hour)
		if got := r.requests(); len(got) != 2 || got[1].at.Sub(got[0].at) != 2*time.Minute {
			t.Errorf("%d tries", len(got))
		}
		if s := n.Stats()[0]; s.Sent != 1 || s.Failed != 1 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestNetworkErrorsAndMissingSecretsAreTriedAgain(t *testing.T) {
	ok, tries := answering(), 0
	asked := 0
	target := notify.Target{Name: "hook", Kind: notify.Webhook, URL: "https://hook.example/x", Secret: func() (string, error) {
		if asked++; asked == 1 {
			return "", errors.New("vault is sealed")
		}
		return "key", nil
	}}
	flaky := tripper(func(r *http.Request) (*http.Response, error) {
		if tries++; tries < 3 {
			return nil, errors.New("connection reset")
		}
		return ok.RoundTrip(r)
	})
	onFakeTime(t, flaky, notify.Options{Targets: []notify.Target{target}}, func(n *notify.Notifier) {
		n.Tell(notify.Message{Event: notify.Ended})
		synctest.Wait()
		if s := n.Stats()[0]; s.Queued != 1 || !strings.Contains(s.LastError, "vault is sealed") {
			t.Errorf("stats are %+v", s)
		}
		if err := closeIn(n, time.Hour); err != nil || tries != 3 || asked != 4 {
			t.Errorf("%v after %d tries, %d secrets", err, tries, asked)
		}
	})
}
