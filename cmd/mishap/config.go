package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

func (c *cli) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Show each setting and where it came from",
		Long: `Show each setting with its value and where it came from: flag, environment,
settings file, or default. The file is the one of --config, else ./mishap.yaml,
else $XDG_CONFIG_HOME/mishap/mishap.yaml, else /etc/mishap/mishap.yaml.` + "\n" + exitCodes,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			if c.json() {
				return json.NewEncoder(c.out).Encode(a.Settings.Values)
			}
			return a.Settings.Print(c.out)
		},
	}
}
