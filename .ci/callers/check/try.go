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
	"mishap/internal/proxy"
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
		return policy{program: program, name: name, attempts: 5, atOnce: 4, backoff: b, jitter: j}
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
			p.id, p.atOnce = named, 2 // its threads share one lock
		case p.program == "java" && p.name != "resilience4j-circuit":
			p.atOnce = 2 // a thread for each request
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
	skipped      string
	example      string // what was said of the last run
	mistakes     []string
	took         time.Duration
}

// try runs a policy and looks at what the proxy saw of each run when it is over.
func (r *rig) try(ctx context.Context, p policy, clients string, runs int) (got result) {
	got.policy = p
	program := filepath.Join(clients, p.program)
	if _, err := os.Stat(program); err != nil {
		got.skipped = p.program + " could not be built here"
		return got
	}
	began := time.Now()
	known := map[string]proxy.Watched{}
	for _, url := range r.urls {
		w, err := r.watch(ctx, url, p, 0)
		if err != nil {
			got.wrong, got.mistakes = runs, []string{err.Error()}
			return got
		}
		known[url] = w
	}
	args := append([]string{p.name, fmt.Sprint(requests), fmt.Sprint(p.attempts), fmt.Sprint(p.atOnce)}, r.urls...)
	command := exec.CommandContext(ctx, program, args...)
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), "WARM="+r.warm)
	lines, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		got.wrong, got.mistakes = runs, []string{err.Error()}
		return got
	}
	for scan := bufio.NewScanner(lines); scan.Scan(); {
		before, ok := known[scan.Text()]
		if !ok {
			continue
		}
		got.add(r.judge(ctx, scan.Text(), p, before))
	}
	if err := command.Wait(); err != nil || got.right+got.wrong != runs {
		got.mistakes = append(got.mistakes, fmt.Sprintf("%d of %d runs ended: %v", got.right+got.wrong, runs, err))
		got.wrong = runs - got.right
	}
	got.took = time.Since(began)
	return got
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

func (r *rig) watch(ctx context.Context, url string, p policy, after uint64) (proxy.Watched, error) {
	return r.client.Callers(ctx, r.name[url], proxy.Watch{ID: p.id, After: after, Keep: proxy.Duration(10 * time.Minute)})
}

// judge says what the callers of one run do, and whether that is their policy.
func (r *rig) judge(ctx context.Context, url string, p policy, before proxy.Watched) (said string, right bool) {
	w, err := r.watch(ctx, url, p, before.Seq)
	if err != nil || !w.Since.Equal(before.Since) {
		return fmt.Sprintf("the watch broke: %v", err), false
	}
	const us = time.Microsecond
	seen := callers.Seen{From: time.Duration(before.Now) * us, Until: time.Duration(w.Now) * us}
	for _, a := range w.Attempts {
		outcome := map[string]callers.Outcome{proxy.AttemptFailed: callers.Failed, proxy.AttemptGaveUp: callers.GaveUp}[a.Outcome]
		seen.Attempts = append(seen.Attempts, callers.Attempt{ID: a.ID, Loose: a.Loose, Source: a.Source,
			Start: time.Duration(a.Start)*us - seen.From, Head: time.Duration(a.Head) * us, Total: time.Duration(a.Total) * us, Outcome: outcome, Status: a.Status})
	}
	seen.From, seen.Until = 0, seen.Until-seen.From
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
