package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/proxy/fault"
	"mishap/internal/report/words"
)

// mostOffered is how many runs a shell is offered.
const mostOffered = 50

// offers are what may stand in a place of a command line, each with a tab and what
// it is behind it. What cannot be looked up is not offered: a shell that completes
// is no place for an error.
type offers func(ctx context.Context, c *cli) []string

// complete tells shells what may stand where: runs, experiments, proxies, entries of
// the catalogs, and formats. Without more, files are completed.
func complete(root *cobra.Command, c *cli) {
	places := map[string][]offers{
		"status": {runs(anyRun)}, "report": {runs(anyRun)}, "compare": {both(experimentsRun, runs(anyRun)), runs(anyRun)},
		"abort": {runs(underWay)}, "revert": {runs(notSettled)}, "unlock": {locked}, "approve": {experimentsRun},
		"observe": {proxies}, "proxy add": {proxies, faultKinds}, "proxy watch": {proxies}, "catalog": {catalogEntries},
		"run": {atServer}, "resume": {}, "halt": {}, "config": {}, "version": {}, "demo": {}, "serve": {}, "proxy": {}, "proxy remove": {}, "token": {}, "sweep": {},
	}
	for path, of := range places {
		cmd, _, err := root.Find(strings.Fields(path))
		if err == nil {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				if len(args) >= len(of) {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return of[len(args)](cmd.Context(), c), orFiles(cmd)
			}
		}
	}
	_ = root.RegisterFlagCompletionFunc("output", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return formatsOf(cmd.Name()), cobra.ShellCompDirectiveNoFileComp
	})
}

// orFiles completes files too where a word may be a journal, an experiment or undo.
func orFiles(cmd *cobra.Command) cobra.ShellCompDirective {
	if slices.Contains([]string{"report", "compare", "run", "revert"}, cmd.Name()) {
		return cobra.ShellCompDirectiveDefault
	}
	return cobra.ShellCompDirectiveNoFileComp
}

// both are two kinds of things.
func both(first, second offers) offers {
	return func(ctx context.Context, c *cli) []string { return append(first(ctx, c), second(ctx, c)...) }
}

// The runs that verbs are about.
func anyRun(*mishap.Run) bool     { return true }
func underWay(r *mishap.Run) bool { return !r.State.Ended() && r.State != mishap.Stranded }
func notSettled(r *mishap.Run) bool {
	return len(r.Outstanding()) > 0
}

// runs are the latest of which wanted is true.
func runs(wanted func(*mishap.Run) bool) offers {
	return func(ctx context.Context, c *cli) (all []string) {
		d, err := c.openDesk()
		if err != nil {
			return nil
		}
		defer d.Close()
		latest, _ := d.Runs(ctx, mostOffered)
		for _, r := range latest {
			if !wanted(r) {
				continue
			}
			all = append(all, fmt.Sprintf("%s\t%s, %s", r.ID, r.Plan.Experiment.Name, words.StandingOf(r)))
		}
		if len(all) > 0 {
			all = append(all, "last\tthe latest of them")
		}
		return all
	}
}

// experimentsRun are the names of experiments that the ledger knows.
func experimentsRun(ctx context.Context, c *cli) (all []string) {
	d, err := c.openDesk()
	if err != nil {
		return nil
	}
	defer d.Close()
	standing, _ := d.Standing(ctx)
	for _, e := range standing.Experiments {
		all = append(all, e.Name)
	}
	return slices.Sorted(slices.Values(all))
}

// locked are the experiments that wait for somebody to unlock them.
func locked(ctx context.Context, c *cli) (all []string) {
	d, err := c.openDesk()
	if err != nil {
		return nil
	}
	defer d.Close()
	standing, _ := d.Standing(ctx)
	for _, l := range standing.Locks {
		all = append(all, l.Experiment+"\tdeviated in run "+l.Run)
	}
	return all
}

// atServer are the experiments that a server has in force, where --server names one.
func atServer(ctx context.Context, c *cli) []string {
	if c.server == "" {
		return nil
	}
	return experimentsRun(ctx, c)
}

// proxies are those of the settings.
func proxies(_ context.Context, c *cli) (all []string) {
	a, err := c.app()
	if err != nil {
		return nil
	}
	defer a.Close()
	for _, p := range a.Settings.Proxies {
		all = append(all, fmt.Sprintf("%s\t%s -> %s", p.Name, p.Listen, p.Upstream))
	}
	return all
}

// faultKinds are those that a proxy knows.
func faultKinds(context.Context, *cli) []string { return fault.Kinds() }

// catalogEntries are injectors, probes and safeguards.
func catalogEntries(_ context.Context, c *cli) (all []string) {
	a, err := c.app()
	if err != nil {
		return nil
	}
	defer a.Close()
	for _, e := range entries(a) {
		all = append(all, e.Name+"\t"+e.Catalog+": "+e.Summary)
	}
	return all
}
