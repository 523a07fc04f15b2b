package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/report"
)

func (c *cli) observeCommand() *cobra.Command {
	var while time.Duration
	var id string
	cmd := &cobra.Command{
		Use:   "observe PROXY",
		Short: "See what the callers of a proxy do, without any fault",
		Long: `Watch the live traffic of a running proxy for a while, and say how much of it
there is, how much fails, how long it takes, and what its callers do: how often
they try again and after what pauses, how long they wait, and when they stop.
Nothing is changed. Ctrl-C ends it early, and what was seen is said.

Attempts of one request are matched by Amz-Sdk-Invocation-Id, Idempotency-Key,
or the trace of traceparent; --id names another header. Without any of them only
totals are known.`,
		Example: "  mishap observe payments\n  mishap observe payments --for 5m --id X-Request-Id\n  mishap observe payments -o json",
		Args:    exactly(1, "the name of a proxy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if while < time.Second || while > 10*time.Minute {
				return usageError{mishap.WithHint(fmt.Errorf("--for %s is not from 1s to 10m", while), "30s is usual")}
			}
			if id != "" {
				id = "header:" + id
			}
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			ctx, stop := c.untilStopped(cmd.Context(), "observe")
			defer stop()
			named := func(p config.Proxy) bool { return p.Name == args[0] }
			if !c.json() && slices.ContainsFunc(a.Settings.Proxies, named) { // else it is not watched
				c.tell("watching %s for %s; Ctrl-C ends it early\n", visible(args[0]), mishap.Duration(while))
			}
			seen, err := a.Observe(ctx, args[0], id, while)
			if err != nil && ctx.Err() != nil && cmd.Context().Err() == nil {
				c.tell("nothing was seen yet\n")
				return nil
			}
			if err != nil {
				return err
			}
			if c.json() {
				return report.ObserveJSON(c.out, seen)
			}
			return report.ObserveSheet(seen).Text(c.out)
		},
	}
	cmd.Flags().DurationVar(&while, "for", 30*time.Second, "how long to watch")
	cmd.Flags().StringVar(&id, "id", "", "header that all attempts of one request have in common")
	return cmd
}
