package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// configured is a policy in words.
func (p policy) configured() string {
	switch {
	case p.circuit:
		return "a circuit breaker"
	case p.never:
		return fmt.Sprintf("%s, jitter %s, never gives up", p.backoff, p.jitter)
	}
	return fmt.Sprintf("%s, jitter %s", p.backoff, p.jitter)
}

// line is a result on a terminal.
func (g result) line() string {
	if g.skipped != "" {
		return fmt.Sprintf("%-33s SKIPPED: %s", g.name, g.skipped)
	}
	text := fmt.Sprintf("%-33s %3d of %3d  %5.1fs  %s", g.name, g.right, g.right+g.wrong, g.took.Seconds(), g.example)
	if g.stalled > 0 {
		text += fmt.Sprintf("\n    %d runs do not count: the machine stalled in each of %d tries", g.stalled, rounds)
	}
	for i, m := range g.mistakes {
		if i == 5 {
			return text + fmt.Sprintf("\n    and %d more", len(g.mistakes)-5)
		}
		text += "\n    wrong: " + m
	}
	return text
}

// table is the page of docs/.
func table(results []result, runs int, command string, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What callers do, checked against real clients

`+"`mishap observe`"+` and the probe `+"`callers`"+` say from the attempts at a proxy how callers back off. Here real clients call a
dependency that always answers 503, through the proxy, and what is said is compared with the policy that they were
configured with. A run has %d requests of 5 attempts (of the AWS SDK, 4); the pauses are short, 40 to 80 ms at first,
because a short pause is the hard case: a busy machine adds milliseconds to it. The AWS SDK has its own pauses, of up to
2, 4 and 8 s, and its retry quota is raised.

A run in which the machine did not give a process its turn for more than 20 ms, for more than a twentieth of its time in
all, does not count, whatever was said of it: it is made again, up to three times.

Made by `+"`%s`"+` on %s: %d runs of each policy, several at a time, in %s on %d cores.

| client | configured | told | for example |
|---|---|---|---|
`, requests, command, time.Now().Format(time.DateOnly), runs, took.Round(time.Second), runtime.NumCPU())
	for _, g := range results {
		told := fmt.Sprintf("%d of %d", g.right, g.right+g.wrong)
		if g.stalled > 0 {
			told += fmt.Sprintf("; %d stalled", g.stalled)
		}
		if g.skipped != "" {
			told = "skipped: " + g.skipped
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", g.name, g.configured(), told, g.example)
	}
	for _, g := range results {
		for _, m := range g.mistakes {
			fmt.Fprintf(&b, "\nWrong: %s: %s\n", g.name, m)
		}
	}
	text, err := os.ReadFile(".ci/callers/limits.md")
	if err == nil {
		b.WriteString("\n" + string(text))
	}
	return b.String()
}
