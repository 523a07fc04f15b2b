package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"mishap/internal/callers"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/fault"
)

// policy is a policy of a client, and what is to be said of it.
type policy struct {
	program, name string
	attempts      int
	atOnce        int    // runs
	id            string // what its attempts are matched by, if not by what they carry anyway
	backoff       callers.BackoffKind
	jitter        callers.JitterKind
	never         bool // gives up
	circuit       bool // what is looked at is the breaker
}

func policies() []policy {
	const (
		none, same, grows = callers.Immediate, callers.Constant, callers.Exponential
		still, drawn      = callers.JitterAbsent, callers.JitterPresent
		named             = "header:X-Request-Id"
	)
	p := func(program, name string, b callers.BackoffKind, j callers.JitterKind) policy {
		return policy{program: program, name: name, attempts: 5, atOnce: 2, backoff: b, jitter: j}
	}
	list := []policy{
		p("go", "loop-immediate", none, still),
		p("go", "loop-constant", same, still),
		p("go", "loop-constant-jitter", same, drawn),
		p("go", "loop-never", same, still),
		p("go", "loop-never-jitter", same, drawn),
		p("go", "backoff-constant", same, still),
		p("go", "backoff-exponential", grows, still),
		p("go", "backoff-exponential-jitter", grows, drawn),
		p("go", "aws-standard", grows, drawn),
		p("go", "aws-adaptive", grows, drawn),
		p("java", "resilience4j-constant", same, still),
		p("java", "resilience4j-constant-jitter", same, drawn),
		p("java", "resilience4j-exponential", grows, still),
		p("java", "resilience4j-exponential-jitter", grows, drawn),
		p("java", "resilience4j-circuit", "", ""),
		p("python", "tenacity-none", none, still),
		p("python", "tenacity-fixed", same, still),
		p("python", "tenacity-fixed-jitter", same, drawn),
		p("python", "tenacity-exponential", grows, still),
		p("python", "tenacity-exponential-full-jitter", grows, drawn),
		p("python", "tenacity-exponential-jitter", grows, drawn),
	}
	for i := range list {
		switch p := &list[i]; {
		case p.program == "python":
			p.id = named
		case p.name == "aws-standard", p.name == "aws-adaptive":
			p.attempts, p.atOnce = 4, 25 // up to 14 s of waiting
		case p.name == "loop-never", p.name == "loop-never-jitter":
			p.never = true
		case p.name == "resilience4j-circuit":
			p.circuit, p.atOnce = true, 10
		}
	}
	return list
}

// result is how often a policy was told.
type result struct {
	policy
	right, wrong int
	stalled      int // runs that were touched by a stall of the machine each time, and do not count
	skipped      string
	example      string // what was said of the last run
	mistakes     []string
	took         time.Duration
}

// try runs a policy, and again what a stall of the machine has touched.
func (r *rig) try(ctx context.Context, p policy, clients string) (got result) {
	got.policy = p
	program := filepath.Join(clients, p.program)
	if _, err := os.Stat(program); err != nil {
		got.skipped = p.program + " could not be built here"
		return got
	}
	began := time.Now()
	left := r.urls
	for round := 0; round < rounds && len(left) > 0; round++ {
		var err error
		if left, err = r.round(ctx, p, program, left, &got); err != nil {
			got.wrong++
			got.mistakes = append(got.mistakes, err.Error())
			break
		}
	}
	got.stalled, got.took = len(left), time.Since(began)
	return got
}

// round makes a run for each URL, and gives those that do not count.
func (r *rig) round(ctx context.Context, p policy, program string, urls []string, got *result) (stalled []string, err error) {
	known := map[string]attempts.Watched{}
	for _, url := range urls {
		if known[url], err = r.watch(ctx, url, p, 0); err != nil {
			return nil, err
		}
	}
	args := append([]string{p.name, fmt.Sprint(requests), fmt.Sprint(p.attempts), fmt.Sprint(p.atOnce)}, urls...)
	command := exec.CommandContext(ctx, program, args...)
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), "WARM="+r.warm)
	lines, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return nil, err
	}
	ended := 0
	for scan := bufio.NewScanner(lines); scan.Scan(); {
		before, ok := known[scan.Text()]
		if !ok {
			continue
		}
		ended++
		seen, begin, err := r.seen(ctx, scan.Text(), p, before)
		switch {
		case err != nil:
			return nil, err
		case r.stalls.share(begin, time.Now()) > 0.05:
			stalled = append(stalled, scan.Text())
		default:
			got.add(judge(seen, p))
		}
	}
	if err := command.Wait(); err != nil || ended != len(urls) {
		return nil, fmt.Errorf("%d of %d runs ended: %w", ended, len(urls), err)
	}
	return stalled, nil
}

func (g *result) add(said string, right bool) {
	if right {
		g.right++
		g.example = said
		return
	}
	g.wrong++
	g.mistakes = append(g.mistakes, said)
}

func (r *rig) watch(ctx context.Context, url string, p policy, after uint64) (attempts.Watched, error) {
	return r.client.Callers(ctx, r.name[url], attempts.Watch{ID: p.id, After: after, Keep: fault.Duration(10 * time.Minute)})
}

// seen is what the proxy saw of one run, and when that began.
func (r *rig) seen(ctx context.Context, url string, p policy, before attempts.Watched) (seen callers.Seen, begin time.Time, err error) {
	w, err := r.watch(ctx, url, p, before.Seq)
	if err != nil || !w.Since.Equal(before.Since) || w.Lost > 0 {
		return seen, begin, fmt.Errorf("the watch broke: %w", err)
	}
	const us = time.Microsecond
	from := time.Duration(before.Now) * us
	begin = time.Now()
	for _, a := range w.Attempts {
		outcome := map[string]callers.Outcome{attempts.Failed: callers.Failed, attempts.GaveUp: callers.GaveUp}[a.Outcome]
		seen.Attempts = append(seen.Attempts, callers.Attempt{ID: a.ID, Loose: a.Loose, Source: a.Source,
			Start: time.Duration(a.Start)*us - from, Head: time.Duration(a.Head) * us, Total: time.Duration(a.Total) * us, Outcome: outcome, Status: a.Status})
		if at := w.Since.Add(time.Duration(a.Start) * us); at.Before(begin) {
			begin = at
		}
	}
	seen.Until = time.Duration(w.Now)*us - from
	return seen, begin, nil
}

// judge says what the callers of one run do, and whether that is their policy.
func judge(seen callers.Seen, p policy) (said string, right bool) {
	if p.circuit {
		c := callers.Analyse(seen).All.Circuit
		return c.Words(), c.Kind == callers.CircuitOpens && c.Failures >= 45 && c.Failures <= 70 && c.Bursts >= 2 &&
			c.Every.Std() > 900*time.Millisecond && c.Every.Std() < 1300*time.Millisecond
	}
	if !p.never {
		seen.Until += time.Minute // nothing more is to come
	}
	b := callers.Analyse(seen).All
	right = b.Backoff.Kind == p.backoff && b.Jitter.Kind == p.jitter && b.Requests.Ends.Never == p.never
	if !p.never {
		return b.Summary(), right && b.Requests.N == requests && b.Requests.Ends.After == p.attempts
	}
	return fmt.Sprintf("%s, %s; %s", b.Backoff.Words(), b.Jitter.Words(b.Backoff.Kind), b.Requests.Ends.Words()), right
}
