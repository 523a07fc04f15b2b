package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/catalog"
)

func (c *cli) planCommand() *cobra.Command {
	var given catalog.Given
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show what a run would touch, without touching it",
		Long: `Resolve an experiment against the live system and show its targets, the
permissions to inject and to revert, what ends each fault when mishap is gone,
and the worst-case time to stop. Nothing is changed. With -o plan.json the
targets are pinned: ` + "`mishap run plan.json`" + ` touches those or nothing. A plan is
good for a day. What a run would be refused for now is named, all of it, and the
plan exits 5 as the run would: what it would not find, such as a target, a
program of a probe or the source of a metric, and what safeguards and the
settings do not let begin, such as a place, a window or a freeze. It is shown,
and written, all the same.`,
		Example: "  mishap plan experiments/slow.yaml\n  mishap plan experiments/slow.yaml -o plan.json && mishap run plan.json",
		Args:    exactly(1, "one experiment file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd, func(a *app.App) error {
				experiments, err := a.Load(cmd.Context(), args, given, true)
				if err != nil {
					return err
				}
				if len(experiments) != 1 {
					return usageError{fmt.Errorf("plan takes one experiment; %s holds %d", args[0], len(experiments))}
				}
				plan, err := a.Plan(cmd.Context(), experiments[0])
				if err != nil {
					return err
				}
				return c.showPlan(cmd.Context(), a, plan)
			})
		},
	}
	givenFlags(cmd, &given)
	return cmd
}

func (c *cli) showPlan(ctx context.Context, a *app.App, plan mishap.Plan) error {
	switch {
	case c.json():
		return errors.Join(json.NewEncoder(c.out).Encode(plan), a.Refuse(ctx, plan))
	case c.output == "text":
		return a.PlanText(ctx, c.out, plan)
	case !strings.HasSuffix(c.output, ".json"):
		return usageError{mishap.WithHint(fmt.Errorf("-o %s is neither text, json nor a .json file", c.output), "pin a plan with `-o plan.json`")}
	}
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.output, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	c.tell("wrote %s, good until %s\n", c.output, plan.Created.Add(mishap.PlanLife).Format("2006-01-02 15:04 MST"))
	return a.PlanText(ctx, c.out, plan)
}
