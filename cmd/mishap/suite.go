package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mishap"
	"mishap/experiments"
	"mishap/internal/report"
	"mishap/internal/report/ci"
	"mishap/internal/report/html"
	"mishap/internal/terminal"
)

// chosen are the jobs of experiments that are taken. None is a mistake: a build
// that runs nothing must not be green.
func chosen(jobs []job, c choice) ([]job, error) {
	var some []job
	for _, one := range jobs {
		if c.takes(one.of) {
			some = append(some, one)
		}
	}
	if some != nil || c.all() {
		return some, nil
	}
	asked := ""
	for _, tag := range c.tags {
		asked += " --tag " + tag
	}
	for _, owner := range c.owners {
		asked += " --owner " + owner
	}
	return nil, usageError{mishap.WithHint(fmt.Errorf("none of %s is chosen by%s", mishap.Plural(int64(len(jobs)), "experiment"), asked),
		"`mishap list -o json` shows tags and owners")}
}

// each runs one job after another, until one ends as no other may follow.
func each(c *cli, jobs []job, f runFlags, run func(job) (*mishap.Run, error)) (report.Suite, error) {
	var runs []*mishap.Run
	ended := func(rest []job, why string) report.Suite {
		s := notRun(rest, f, why)
		s.Runs = runs
		return s
	}
	for i, one := range jobs {
		if c.interrupted.Load() {
			c.outcome = mishap.Worst(c.outcome, mishap.OutcomeInterrupted)
			return ended(jobs[i:], "it was interrupted"), nil
		}
		r, err := run(one)
		if r != nil {
			runs = append(runs, r)
		}
		rest := jobs[i+1:]
		switch {
		case err != nil && r == nil:
			return ended(jobs[i:], err.Error()), err
		case err != nil:
			return ended(rest, "mishap itself failed at "+one.of.Name), err
		}
		outcome := mishap.OutcomeOf(r)
		if ended(nil, "").Passes(r) {
			outcome = mishap.OutcomeHeld
		}
		c.outcome = mishap.Worst(c.outcome, outcome)
		switch {
		case outcome == mishap.OutcomeInternal, outcome == mishap.OutcomeStillIn, outcome == mishap.OutcomeInterrupted:
			return ended(rest, fmt.Sprintf("%s was %s", one.of.Name, ci.Word(r))), nil
		case f.failFast && outcome != mishap.OutcomeHeld:
			return ended(rest, fmt.Sprintf("%s was %s, and --fail-fast was given", one.of.Name, ci.Word(r))), nil
		}
	}
	return ended(nil, ""), nil
}

// notRun is a suite of which nothing has run.
func notRun(jobs []job, f runFlags, why string) report.Suite {
	s := report.Suite{Why: why, AllowRefused: f.allowRefused}
	for _, one := range jobs {
		s.NotRun = append(s.NotRun, one.of)
	}
	return s
}

// papers are the files that the results of several runs are written to.
type papers struct {
	junit  []*os.File
	folder string // gets a page of each run; empty: none does
}

// openPapers opens the files before anything runs, so that no result is lost to
// a path that cannot be written.
func openPapers(f runFlags) (papers, error) {
	p := papers{folder: f.reports}
	paths := []string{f.junit}
	if f.reports != "" {
		if err := os.MkdirAll(f.reports, 0o755); err != nil {
			return p, usageError{fmt.Errorf("write reports: %w", err)}
		}
		paths = append(paths, filepath.Join(f.reports, "junit.xml"))
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		file, err := os.Create(path)
		if err != nil {
			return p, usageError{fmt.Errorf("write junit: %w", err)}
		}
		p.junit = append(p.junit, file)
	}
	return p, nil
}

// write writes the suite, and a page of each run whose journal there is: what was
// refused before it began has none.
func (p papers) write(s report.Suite, journal func(run string) ([]mishap.Entry, error)) error {
	var problems []error
	for _, file := range p.junit {
		problems = append(problems, s.JUnit(file), file.Close())
	}
	for _, r := range s.Runs {
		if p.folder == "" {
			break
		}
		entries, err := journal(r.ID)
		if err != nil {
			if r.State != mishap.Refused {
				problems = append(problems, err)
			}
			continue
		}
		var page bytes.Buffer
		err = html.Run(&page, entries, versionString())
		problems = append(problems, err, os.WriteFile(filepath.Join(p.folder, filepath.Base(r.ID)+".html"), page.Bytes(), 0o644))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	return nil
}

// conclude says how all runs ended: to a person, and to what builds.
func conclude(c *cli, s report.Suite) error {
	host := ci.HostOf(os.Getenv)
	c.err.drain()                                                                       // what comes before
	if err := errors.Join(host.Notes(c.environment.err, s), host.Page(s)); err != nil { // changes no verdict
		c.tell("mishap: %v\n", err)
	}
	switch {
	case len(s.Runs)+len(s.NotRun) < 2:
		return nil
	case c.json():
		return ci.Summary(c.err, s, ci.Wide)
	}
	room := terminal.Of(c.environment.out)
	if !room.Known {
		room.Columns = ci.Wide
	}
	return ci.Summary(c.out, s, room.Columns)
}

// note says to what builds where files are wrong.
func note(c *cli, level string, err error) {
	var problems experiments.Problems
	if host := ci.HostOf(os.Getenv); host.Known() && errors.As(err, &problems) {
		c.err.drain() // what comes before
		_ = host.Problems(c.environment.err, level, problems)
	}
}

// shield lets nothing that a command writes be one to what builds, but for its
// notes. What is returned passes on the last line.
func shield(c *cli) (flush func()) {
	host := ci.HostOf(os.Getenv)
	if !host.Known() {
		return func() {}
	}
	shown := host.Shield(c.environment.out, func() string { return c.output })
	said := host.Shield(c.environment.err, func() string { return "text" })
	c.toOut, c.toErr = shown, said
	return func() { _, _ = shown.Flush(), said.Flush() }
}
