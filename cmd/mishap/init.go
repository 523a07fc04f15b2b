package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/experiments"
)

func (c *cli) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init URL",
		Short: "Write an experiment on your own service",
		Long: `Write settings with a proxy, and an experiment that makes your service slow, for
an http URL that answers on this machine or elsewhere. Files that exist stay as
they are.` + "\n" + exitCodes,
		Example: "  mishap init http://localhost:8080/health",
		Args:    exactly(1, "the URL of your service"),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := experiments.Init(args[0])
			if err != nil {
				return usageError{err}
			}
			var exist []error
			names := slices.Sorted(maps.Keys(files))
			for _, name := range names {
				if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
					exist = append(exist, fmt.Errorf("%s exists already", name))
				}
			}
			if exist != nil {
				return usageError{mishap.WithHint(errors.Join(exist...), "move it away, or run this in another folder; nothing was written")}
			}
			for _, name := range names {
				if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, files[name], 0o644)); err != nil {
					return fmt.Errorf("write %s: %w", name, err)
				}
				fmt.Fprintf(c.out, "wrote %s\n", name)
			}
			_, err = fmt.Fprint(c.out, "\nnext:\n  mishap proxy &             # the traffic that the fault delays passes it\n  mishap plan experiments/   # what would be touched\n  mishap run experiments/\n")
			return err
		},
	}
}
