//go:build unix

package metrics_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// patience is how long tests wait for processes and servers.
const patience = 3 * time.Minute

// await asks again and again until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// file writes a file of lines.
func file(t *testing.T, lines ...string) string {
	path := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// second is a bucket that was over so many seconds ago.
func second(ago int, requests int) string {
	start := time.Now().Truncate(time.Second).Add(-time.Duration(ago+1) * time.Second)
	return fmt.Sprintf(`{"start":%q,"width":"1s","control":{"requests":%d,"successes":1,"events":2},"experiment":{"requests":%d,"successes":1,"events":3}}`, start.Format(time.RFC3339), requests, requests)
}

func shell(script string, args ...string) object {
	return object{"argv": append([]string{"sh", "-c", script, "sh"}, args...), "delay": "1m", "env": object{"TOKEN": object{"env": "TOKEN"}}}
}

func deps() metrics.Deps {
	env := map[string]string{"TOKEN": "hunter2-is-long"}
	return metrics.Deps{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		ReadFile:  os.ReadFile,
		Run:       "run-1",
	}
}

func closing(t *testing.T, s metrics.Source) {
	t.Helper()
	if err := s.(interface{ Close() error }).Close(); err != nil {
		t.Error(err)
	}
}

func TestMetricsShareACommandAndItDiesWithItsChildren(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	with := shell(`cat "$1"; sleep 1000 & echo $! > "$2.new"; mv "$2.new" "$2"; wait`, file(t, second(3, 7), second(2, 8)), pid)
	var kinds []metrics.Kind
	for _, k := range metrics.Catalog(deps()) {
		if k.Name == "command" {
			kinds = append(kinds, k)
		}
	}
	make := func(kind mishap.MetricKind) metrics.Source {
		s, err := kinds[0].New(mishap.CompareMetric{Metric: kind, With: encode(with)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rate, events := make(mishap.SuccessRate), make(mishap.EventRate)
	var got []analysis.Bucket
	await(t, "two buckets", func() bool { got = append(got, closed(t, rate)...); return len(got) == 2 })
	if got[1].Control.Requests != 8 || got[1].Width != time.Second {
		t.Errorf("buckets %+v", got)
	}
	if got = closed(t, events); len(got) != 2 || got[0].Experiment.Events != 3 {
		t.Errorf("events %+v", got)
	}
	var child int
	await(t, "the child", func() bool {
		text, err := os.ReadFile(pid)
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && child > 0
	})
	closing(t, rate)
	closing(t, events)
	await(t, "the child is dead", func() bool { return gone(child) })
	_, err := rate.Closed(t.Context())
	complains(t, err, metrics.ErrOver, "signal: killed")
	if rate.Delay() != time.Minute || rate.(metrics.Paced).Width() != time.Second {
		t.Errorf("delay %s", rate.Delay())
	}
}

// gone reports whether a process is over; one that nobody waits for yet is.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestACommandThatEndsSaysHowWithoutItsSecrets(t *testing.T) {
	s, err := build(deps(), "command", mishap.SuccessRate, shell(`cat "$1"; echo "no route for $TOKEN" >&2; exit 3`, file(t, second(1, 5))))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, s)
	var got []analysis.Bucket
	await(t, "the end", func() bool {
		var buckets []analysis.Bucket
		buckets, err = s.Closed(t.Context())
		got = append(got, buckets...)
		return errors.Is(err, metrics.ErrOver)
	})
	complains(t, err, metrics.ErrOver, `exit status 3, it said "no route for [secret]"`)
	if len(got) != 1 {
		t.Errorf("buckets %v", got)
	}
}

func TestOutputOfACommandIsLimited(t *testing.T) {
	s, err := build(deps(), "command", mishap.SuccessRate, shell(`head -c 300000 /dev/zero | tr '\0' x; sleep 1000`))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, s)
	said := ""
	await(t, "the end", func() bool {
		_, err = s.Closed(t.Context())
		if err != nil {
			said += err.Error()
		}
		return errors.Is(err, metrics.ErrOver)
	})
	if !strings.Contains(said, "line 1 of the command is longer than 256 KiB") {
		t.Errorf("said %s", said)
	}
}

// A command that prints without end is held up and can still be killed.
func TestACommandThatNobodyReadsIsHeldUp(t *testing.T) {
	s, err := build(deps(), "command", mishap.SuccessRate, shell(`yes x`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Closed(t.Context())
	if errors.Is(err, metrics.ErrOver) {
		t.Fatal(err)
	}
	closing(t, s)
	closing(t, s)
}

func TestACommandThatCannotStartIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "late")
	s, err := build(deps(), "command", mishap.SuccessRate, object{"argv": []string{path}, "delay": "1m"})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, s)
	_, _, err = metrics.Pace(t.Context(), s)
	complains(t, err, metrics.ErrUnavailable, "find command")
	_, err = s.Closed(t.Context())
	complains(t, err, metrics.ErrUnavailable, "no such file")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncat <<END\n"+second(1, 9)+"\nEND\nsleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if delay, _, err := metrics.Pace(t.Context(), s); err != nil || delay != time.Minute {
		t.Errorf("delay %s, %v", delay, err)
	}
	await(t, "a bucket", func() bool {
		buckets, _ := s.Closed(t.Context())
		return len(buckets) == 1 && buckets[0].Control.Requests == 9
	})
	closing(t, s)
	missing, err := build(deps(), "command", mishap.SuccessRate, object{"argv": []string{"true"}, "env": object{"A": object{"env": "NOPE"}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = missing.Closed(t.Context())
	complains(t, err, nil, "with.env.A: the environment variable NOPE is not set")
}
