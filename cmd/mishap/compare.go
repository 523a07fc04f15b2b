package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/html"
)

// mostTrend is how many runs of an experiment a trend shows.
const mostTrend = 100

func (c *cli) compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare RUN RUN | EXPERIMENT",
		Short: "Set two runs, or all runs of an experiment, beside each other",
		Long: `Set two runs beside each other, of one experiment or of two: verdicts, effects
with their intervals, recovery, and what changed in between. A run is its id,
its beginning, or a journal file. With the name of one experiment, the trend
over its latest runs, newest first; -o html draws it.`,
		Example: "  mishap compare 7f3a91c2 0b55d1e9\n  mishap compare checkout-survives-slow-payments\n  mishap compare checkout-survives-slow-payments -o html > trend.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withDesk(cmd, func(a desk) error {
				switch len(args) {
				case 1:
					return c.trend(cmd.Context(), a, args[0])
				case 2:
					return c.beside(cmd.Context(), a, args[0], args[1])
				}
				return usageError{mishap.WithHint(fmt.Errorf("compare takes two runs, or one experiment, not %d arguments", len(args)), "`mishap status` lists runs")}
			})
		},
	}
}

// beside compares two runs.
func (c *cli) beside(ctx context.Context, a desk, first, second string) error {
	runs, err := mishap.ReplayAll([]string{first, second}, func(which string) ([]mishap.Entry, error) { return a.Journal(ctx, which) })
	if err != nil {
		return err
	}
	b := report.Compare(runs[0], runs[1])
	switch c.output {
	case "json":
		return b.JSON(c.out)
	case "html":
		return usageError{mishap.WithHint(fmt.Errorf("two runs are compared as text or json"), "html is for the trend: mishap compare EXPERIMENT -o html")}
	}
	return b.Text(c.out)
}

// nearestRun is a hint for who named an experiment that has no runs.
func nearestRun(ctx context.Context, a desk, experiment string) string {
	var names []string
	if standing, err := a.Standing(ctx); err == nil {
		for _, e := range standing.Experiments {
			names = append(names, e.Name)
		}
	}
	if near := mishap.Nearest(experiment, names); near != "" {
		return near
	}
	return "`mishap status` lists runs with their experiments; two runs are compared by their ids"
}

// trend shows the runs of one experiment.
func (c *cli) trend(ctx context.Context, a desk, experiment string) error {
	runs, err := a.RunsOf(ctx, experiment, mostTrend)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return usageError{mishap.WithHint(fmt.Errorf("there is no run of an experiment %q", experiment), nearestRun(ctx, a, experiment))}
	}
	t := report.TrendOf(experiment, runs)
	switch c.output {
	case "json":
		return t.JSON(c.out)
	case "html":
		return html.Trend(c.out, t, versionString())
	}
	return t.Text(c.out)
}
