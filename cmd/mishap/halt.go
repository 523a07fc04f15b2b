package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/plaintext"
)

func (c *cli) haltCommand() *cobra.Command {
	var reason string
	var everywhere bool
	cmd := &cobra.Command{
		Use:   "halt",
		Short: "Stop everything and start nothing, until resumed",
		Long: `Stop every run that uses this ledger; each reverts. Nothing starts until
` + "`mishap resume`" + `. Halt is written to a ledger that exists, and every server of it
on this host is asked as well; it waits up to 10 s until each has seen it and
each run has begun to revert, and names what did not (exit 1). A ledger that is
damaged or locked is exit 1 too, and its servers revert all the same.

With --everywhere the other ledgers of this host that have living servers are
halted too; those of other users only root can.` + "\n" + exitCodes,
		Example: "  mishap halt --reason 'incident 4711'\n  sudo mishap halt --everywhere",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if everywhere && c.server != "" {
				return usageError{mishap.WithHint(errors.New("--everywhere is for the ledgers of this host, and --server for one of another"), "leave one of the two out")}
			}
			return c.halt(cmd, reason, everywhere)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the others")
	cmd.Flags().BoolVar(&everywhere, "everywhere", false, "also the other ledgers of this host that have living servers")
	return cmd
}

// halt stops first, and looks at what else there is afterwards.
func (c *cli) halt(cmd *cobra.Command, reason string, everywhere bool) error {
	d, err := c.openDesk()
	if err != nil {
		return err
	}
	defer d.Close()
	all, err := d.Halt(cmd.Context(), whoami(), reason, everywhere)
	if err != nil {
		return err
	}
	var problems []error
	said := "halted: every run reverts, and nothing starts until `mishap resume`\n"
	text := ""
	for _, one := range all {
		text += plaintext.Line(one.String()) + "\n"
		if err := one.Err(); err != nil {
			problems = append(problems, err)
		}
	}
	if problems != nil {
		said = ""
	}
	_, err = fmt.Fprint(c.out, said, text)
	if !everywhere {
		c.nameNeighbours(d)
	}
	if a, local := d.(*app.App); local {
		for _, dir := range a.Idle() {
			c.tell("mishap: not halted: ledger %s, which no living server uses; halt it with --state %s\n", dir, dir)
		}
	}
	if problems == nil {
		c.nameLeftovers(cmd.Context(), d)
	}
	return errors.Join(append(problems, err)...)
}

// nameLedger says on stderr which ledger is read or written.
func (c *cli) nameLedger(d desk) {
	if a, local := d.(*app.App); local {
		c.tell("mishap: ledger %s\n", fromHere(a.Where()))
	}
}

// fromHere is a path as somebody in the working directory would write it, if it
// is below that.
func fromHere(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if below, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(below) {
		return "." + string(filepath.Separator) + below
	}
	return path
}

// nameNeighbours says on stderr where other ledgers of this host are in use.
func (c *cli) nameNeighbours(d desk) {
	if a, local := d.(*app.App); local {
		for _, n := range a.Neighbours(false) {
			c.tell("mishap: not of this ledger: %s; reach it with %s\n", n, n.Reach())
		}
	}
}
