package main

import (
	"time"

	"github.com/spf13/cobra"

	"mishap/internal/engine"
)

// keeperCommand is the process that a run starts to hold its faults. It is not
// for people.
func (c *cli) keeperCommand() *cobra.Command {
	var run, vault string
	var revertWithin, lease time.Duration
	cmd := &cobra.Command{
		Use:    "keeper",
		Short:  "Hold, inject and revert the faults of one run",
		Hidden: true,
		Args:   exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			// It ends when its work is done, and not before.
			_, done := c.signals("keeper")
			defer done()
			return engine.Keep(c.state, run, revertWithin, lease, vault, c.around)
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "id of the run")
	cmd.Flags().DurationVar(&revertWithin, "revert-within", 2*time.Minute, "how long a revert is tried")
	cmd.Flags().DurationVar(&lease, "lease", 0, "after how long without a sign of life others may own the run; 0: never")
	cmd.Flags().StringVar(&vault, "vault", "", "path of the vaults in which others may see that this run was lost; none: there are none")
	return cmd
}
