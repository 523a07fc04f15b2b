package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/api"
)

func (c *cli) approveCommand() *cobra.Command {
	var in api.ApproveRequest
	var revoke bool
	cmd := &cobra.Command{
		Use:   "approve EXPERIMENT",
		Short: "Look at a server's plan of somebody else, and approve it",
		Long: `Show what a server would touch if it ran an experiment now. With --digest, which
it prints, and a reason the plan is approved: the server may run it by itself,
until the approval ends or the experiment or its targets change. Settings say
which plans need that: governor.approval. Nobody approves what they committed.`,
		Example: "  mishap approve big-one\n  mishap approve big-one --digest sha256:… --reason 'game day, CHG-42'\n  mishap approve big-one --revoke",
		Args:    exactly(1, "the name of an experiment"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Experiment = args[0]
			if in.Digest != "" && strings.TrimSpace(in.Reason) == "" {
				return usageError{mishap.WithHint(errors.New("approve needs a reason, for the audit"), "add --reason 'why it may run'")}
			}
			if in.Digest == "" && in.Reason != "" {
				return usageError{mishap.WithHint(errors.New("approve needs the digest of the plan that you looked at"), "`mishap approve "+args[0]+"` shows it")}
			}
			return c.withServer(func(r *api.Client) error {
				switch {
				case revoke:
					return c.disapprove(cmd, r, args[0])
				case in.Digest != "":
					return c.approve(cmd, r, in)
				}
				return c.showApprovable(cmd, r, args[0])
			})
		},
	}
	cmd.Flags().StringVar(&in.Digest, "digest", "", "of the plan that you looked at")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why it may run; kept in the audit")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "take the approval back")
	cmd.MarkFlagsMutuallyExclusive("revoke", "digest")
	return cmd
}

// withServer runs f with the server that --server names, or with the one that
// uses this machine's state directory.
func (c *cli) withServer(f func(*api.Client) error) error {
	if c.server != "" {
		r, err := api.NewClient(c.server)
		if err != nil {
			return err
		}
		defer r.Close()
		return f(r)
	}
	a, err := c.app()
	if err != nil {
		return err
	}
	defer a.Close()
	r, err := a.LocalServer()
	if err != nil {
		return err
	}
	defer r.Close()
	return f(r)
}

func (c *cli) showApprovable(cmd *cobra.Command, r *api.Client, name string) error {
	got, err := r.Approvable(cmd.Context(), name)
	if err != nil {
		return err
	}
	if c.json() {
		return json.NewEncoder(c.out).Encode(got)
	}
	if err := got.Sheet.Text(c.out); err != nil {
		return err
	}
	for _, why := range got.Against {
		if err := c.result("\nnow refused: %s\n", why); err != nil {
			return err
		}
	}
	if got.Needed == "" {
		return c.result("\nno approval is needed\n")
	}
	return c.result("\nneeds an approval: %s\nto approve this plan, and no other:\n  mishap approve %s --reason WHY \\\n    --digest %s\n", got.Needed, name, got.Digest)
}

func (c *cli) approve(cmd *cobra.Command, r *api.Client, in api.ApproveRequest) error {
	a, err := r.Approve(cmd.Context(), in, whoami())
	if err != nil {
		return err
	}
	if c.json() {
		return json.NewEncoder(c.out).Encode(a)
	}
	return c.result("%s may run by itself until %s, as it is now\n", a.Experiment, mishap.Moment(a.Until))
}

func (c *cli) disapprove(cmd *cobra.Command, r *api.Client, name string) error {
	if err := r.Disapprove(cmd.Context(), name, whoami()); err != nil {
		return err
	}
	return c.result("%s is no longer approved\n", name)
}
