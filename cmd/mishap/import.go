package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/chaostoolkit"
	"mishap/internal/outside"
)

func importCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Write experiments of other tools as mishap has them",
		Args:  knownVerb,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(importChaosToolkit(c))
	return cmd
}

func importChaosToolkit(c *cli) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "chaostoolkit FILE",
		Short: "Write an experiment of Chaos Toolkit as mishap has it",
		Long: `Write an experiment of Chaos Toolkit, JSON or YAML, as one of mishap: its
probes and tolerances as the steady state, its actions as faults, its rollbacks
as what reverts them. What mishap has no like of is named, and stands in the
file as a comment. Nothing is run, and nobody is asked.

The file is to be completed where it says so: mishap wants to know of a command
how it is reverted and how to see whether it is in force. ` + "`mishap validate`" + `
says what is missing.`,
		Example: "  mishap import chaostoolkit experiment.json -f experiments/checkout.yaml\n  mishap validate experiments/checkout.yaml",
		Args:    exactly(1, "the experiment of Chaos Toolkit"),
		RunE: func(cmd *cobra.Command, args []string) error {
			read, err := outside.Read(cmd.Context(), args[0], chaostoolkit.MostBytes)
			if err != nil {
				return usageError{err}
			}
			made, err := chaostoolkit.Import(filepath.Base(args[0]), read.Text)
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", args[0], err)}
			}
			tellImported(c, made)
			if out == "" {
				return c.print(made.File, nil)
			}
			if _, err := os.Lstat(out); err == nil {
				return usageError{mishap.WithHint(fmt.Errorf("write %s: it is there", out), "give another file, or remove it")}
			}
			return writeNew(c, out, made.File)
		},
	}
	cmd.Flags().StringVarP(&out, "file", "f", "", "write it to this file, which must not be there; default: standard output")
	return cmd
}

// tellImported names what the file does not say.
func tellImported(c *cli, made chaostoolkit.Imported) {
	for _, one := range made.Open {
		c.tell("to complete: %s\n", one)
	}
	for _, n := range made.Left {
		c.tell("not mapped: %s: %s\n", n.Path, n.Why)
	}
	for _, n := range made.Does {
		c.tell("not needed: %s: %s\n", n.Path, n.Why)
	}
}
