package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/app"
	"mishap/internal/catalog"
	"mishap/internal/report"
)

func (c *cli) scheduleCommand() *cobra.Command {
	var given catalog.Given
	var count int
	var after string
	cmd := &cobra.Command{
		Use:   "schedule PATH…",
		Short: "Show when experiments would run by themselves, and when not",
		Long: `Show the next times of every experiment that has a schedule, with their jitter,
and why each would or would not run: its windows and calendars and those of the
settings, known impacts, locks and halt; whether it waits for its turn, and why
it did not start last. Any past or future time can be computed again with
--after.`,
		Example: "  mishap schedule experiments/\n  mishap schedule experiments/ -n 20 --after 2026-12-24T00:00:00Z",
		Args:    atLeast(1, "at least one file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from := time.Now()
			if after != "" {
				t, err := time.Parse(time.RFC3339, after)
				if err != nil {
					return usageError{fmt.Errorf("--after %q is not a time; write it like 2026-12-24T00:00:00Z", after)}
				}
				from = t
			}
			if count < 1 || count > 10_000 {
				return usageError{fmt.Errorf("-n must be 1 to 10000")}
			}
			return c.withApp(cmd, func(a *app.App) error {
				list, err := a.Load(cmd.Context(), args, given, false)
				if err != nil {
					return err
				}
				all, err := a.Schedule(cmd.Context(), list, from, count)
				if err != nil {
					return err
				}
				return c.showSchedule(all)
			})
		},
	}
	givenFlags(cmd, &given)
	cmd.Flags().IntVarP(&count, "count", "n", 5, "times to show of each experiment")
	cmd.Flags().StringVar(&after, "after", "", "show the times after this one instead of now")
	return cmd
}

func (c *cli) showSchedule(all []api.Scheduled) error {
	if c.json() {
		if all == nil {
			all = []api.Scheduled{}
		}
		return json.NewEncoder(c.out).Encode(all)
	}
	if len(all) == 0 {
		return c.result("no experiment has a schedule\n")
	}
	var said error
	say := func(format string, args ...any) { said = errors.Join(said, c.result(format, args...)) }
	for _, one := range all {
		say("%s: %s\n", one.Experiment, report.Rhythm(one.Schedule))
		if one.Now != "" {
			say("  now not, whatever the time: %s\n", one.Now)
		}
		if w := one.Waiting; w != nil {
			say("  waits since %s: %s\n", mishap.Moment(w.Since), w.Why)
		}
		if last := one.Last; last != nil {
			say("  did not start at %s (%s): %s\n", mishap.Moment(last.At), last.Cause, last.Reason)
		}
		for _, up := range one.Next {
			if err := report.Due(c.out, up.Due, one.Schedule, up.Reason); err != nil {
				return err
			}
		}
	}
	return said
}
