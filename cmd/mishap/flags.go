package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/catalog"
)

// runFlags are what `mishap run` is told besides what to run.
type runFlags struct {
	given        catalog.Given
	chosen       choice
	junit        string // a file
	reports      string // a folder
	noFault      bool
	wait         time.Duration
	waits        bool // --wait was given; otherwise the experiment says it
	failFast     bool
	allowRefused bool
	override     string
}

func (f *runFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	givenFlags(cmd, &f.given)
	flags.StringArrayVar(&f.chosen.tags, "tag", nil, "only experiments with this tag, `KEY=VALUE` or KEY; all of them if repeated")
	flags.StringArrayVar(&f.chosen.owners, "owner", nil, "only experiments of this owner, by `NAME`; of any of them if repeated")
	flags.BoolVar(&f.failFast, "fail-fast", false, "begin no other run after one that is not held")
	flags.BoolVar(&f.allowRefused, "allow-refused", false, "a run that is refused is no failure: exit 0 if nothing else is, and skipped in JUnit")
	flags.BoolVar(&f.noFault, "no-fault", false, "leave the faults out (A/A): shows how often the arms are told apart without one")
	flags.DurationVar(&f.wait, "wait", 0, "wait so long, at most, for another run that is in the way and for a steady state that is not met, instead of refusing the run; 0s: never. Default: what the experiment's ready says")
	flags.StringVar(&f.override, "override", "", "run in spite of a lock, a limit, a freeze, or the window or calendar of the settings; why, for the journal and the audit")
	flags.StringVar(&f.junit, "junit", "", "also write a JUnit report to this file")
	flags.StringVar(&f.reports, "reports", "", "also write junit.xml and a page of each run to this folder")
}

// check says which flags would be ignored, or mean nothing.
func (f *runFlags) check(cmd *cobra.Command, server string) error {
	f.waits = cmd.Flags().Changed("wait")
	switch asked := cmd.Flags().Changed("override"); {
	case asked && server != "":
		return mishap.WithHint(errors.New("--override is for a run of this machine's ledger"), "a server's experiment is unlocked with `mishap unlock`")
	case asked && strings.TrimSpace(f.override) == "":
		return mishap.WithHint(errors.New("--override takes a reason, for journal and audit"), "write --override 'why it is right to run it all the same'")
	case f.waits && server != "":
		return mishap.WithHint(errors.New("--wait is for a run of this machine's ledger"), "what a server runs says ready in its file")
	case f.waits && (f.wait < 0 || f.wait > time.Hour):
		return fmt.Errorf("--wait is from 0s to 1h, not %s", f.wait)
	case server != "" && !f.chosen.all():
		return mishap.WithHint(errors.New("--tag and --owner choose among files"), "with --server, give the names of experiments")
	}
	return nil
}

// choice is which of the experiments of files and folders are run.
type choice struct {
	tags   []string // KEY=VALUE or KEY; an experiment has all of them
	owners []string // any of them
}

func (c choice) all() bool { return c.tags == nil && c.owners == nil }

func (c choice) takes(e mishap.Experiment) bool {
	for _, tag := range c.tags {
		key, want, valued := strings.Cut(tag, "=")
		if value, has := e.Tags[key]; !has || valued && value != want {
			return false
		}
	}
	return c.owners == nil || slices.Contains(c.owners, e.Owner)
}

// givenFlags are the flags of every verb that reads experiments.
func givenFlags(cmd *cobra.Command, given *catalog.Given) {
	cmd.Flags().StringToStringVar(&given.Vars, "var", nil, "value of a variable, `NAME=VALUE`; may be repeated")
	cmd.Flags().Lookup("var").DefValue = "" // which help would show as []
	cmd.Flags().StringVar(&given.Environment, "env", "", "take values from environments/`NAME`.yaml beside or above each file")
}
