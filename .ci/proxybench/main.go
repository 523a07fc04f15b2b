// Command proxybench measures mishap proxy next to toxiproxy, nginx and haproxy, and prints the ratios as a table.
// .ci/bench-proxy gets what it needs and runs it in a network namespace of its own, where all its ports are free.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// options are the flags.
type options struct {
	root, bin, mishap string // where the programs are
	dir               string // scratch
	rounds            int
	only              string        // the names of experiments, or ""
	targets           string        // the names of targets, or ""
	hangs             int           // only look for hangs, so many times
	soak              time.Duration // only keep connections for so long
	profile           string        // a directory for CPU profiles of mishap proxy
	raw               bool
	realtime          bool
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "proxybench:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	var upstream, under, host string
	var standard bool
	flag.StringVar(&o.dir, "dir", "", "an empty directory to work in")
	flag.StringVar(&o.root, "root", "", "where Debian's packages are unpacked")
	flag.StringVar(&o.bin, "bin", "", "where toxiproxy is")
	flag.StringVar(&o.mishap, "mishap", "", "the mishap program")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.StringVar(&o.only, "only", "", "run only these experiments (comma separated)")
	flag.StringVar(&o.targets, "targets", "", "measure only these (comma separated), of direct, mishap, toxiproxy, nginx and haproxy")
	flag.IntVar(&o.hangs, "hangs", 0, "only add and remove faults so many times while clients stall, leave and flood")
	flag.DurationVar(&o.soak, "soak", 0, "only keep 9,000 connections for so long while their fault changes every second")
	flag.StringVar(&o.profile, "profile", "", "write CPU profiles of mishap proxy into this directory")
	flag.BoolVar(&o.raw, "raw", false, "also print every value")
	flag.BoolVar(&o.realtime, "realtime", true, "run the experiments about accuracy in SCHED_RR")
	flag.StringVar(&upstream, "upstream", "", "internal: be the upstream")
	flag.StringVar(&under, "proxy", "", "internal: be mishap proxy with a CPU profile into this file")
	flag.BoolVar(&standard, "httputil", false, "internal: be the reverse proxy of the standard library")
	flag.StringVar(&host, "host", "", "internal: where -proxy and -httputil forward to")
	flag.Parse()
	switch {
	case upstream != "":
		return serveUpstream()
	case under != "":
		return serveProfiled(under, host)
	case standard:
		return serveStdlib(host)
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	if o.hangs > 0 {
		return b.lookForHangs(o.hangs)
	}
	if o.soak > 0 {
		return b.soakFor(o.soak)
	}
	return b.measure()
}

// bench is one run.
type bench struct {
	options
	upstream *process
	results  results
	hosts    int    // so many have been used
	host     string // of the upstream, for the target at hand
	round    int
	problems []string // what makes the run fail
}

// newBench sets up the namespace and starts the upstream.
func newBench(o options) (*bench, error) {
	if err := setUpNamespace(); err != nil {
		return nil, err
	}
	// Of this mount namespace alone, so that nothing is left when the run is killed.
	if err := unix.Mount("tmpfs", o.dir, "tmpfs", 0, ""); err != nil {
		return nil, fmt.Errorf("mount scratch directory: %w", err)
	}
	b := &bench{options: o, results: results{}}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b.upstream, err = startProcess(o.dir, "upstream", self, "-upstream", "yes")
	if err != nil {
		return nil, err
	}
	return b, awaitPort(portEcho)
}

func (b *bench) close() {
	b.upstream.kill()
}

// measure runs every experiment in every round, with the targets in another order each time.
func (b *bench) measure() error {
	b.preamble()
	for b.round = range b.rounds {
		for _, e := range experiments() {
			if e.rounds > 0 && b.round >= e.rounds || b.only != "" && !named(b.only, e.name) {
				continue
			}
			targets := append([]string(nil), e.targets...)
			rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
			for _, name := range targets {
				if b.targets == "" || named(b.targets, name) {
					b.cell(e, name)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d done\n", b.round+1, b.rounds)
	}
	b.report()
	if len(b.problems) > 0 {
		return errors.New(strings.Join(b.problems, "; "))
	}
	return nil
}

// cell measures one target in one experiment, with processes that are new.
func (b *bench) cell(e experiment, name string) {
	t, err := b.start(name, e.name)
	if err == nil {
		defer t.stop()
		if e.realtime && b.realtime {
			defer b.hurry(t)()
		}
		var v values
		v, err = e.run(b, t)
		b.results.add(b.round, column(name), v)
		if err != nil && t.process != nil {
			log, _ := os.ReadFile(t.process.log)
			err = fmt.Errorf("%w; its log: %s", err, log[max(0, len(log)-1000):])
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "round %d, %s, %s: %v\n", b.round+1, e.name, name, err)
		if name == "mishap" {
			b.problems = append(b.problems, fmt.Sprintf("%s: %v", e.name, err))
		}
	}
}

func named(list, name string) bool {
	for n := range strings.SplitSeq(list, ",") {
		if n == name {
			return true
		}
	}
	return false
}
