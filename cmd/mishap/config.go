package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"mishap/experiments"
	"mishap/internal/config"
	"mishap/internal/report/words"
)

func (c *cli) configCommand() *cobra.Command {
	var schema bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show each setting and where it came from",
		Long: `Show each setting with its value and where it came from: flag, environment,
settings file, or default. The file is the one of --config, else ./mishap.yaml,
else $XDG_CONFIG_HOME/mishap/mishap.yaml, else /etc/mishap/mishap.yaml. --schema
prints the JSON Schema of that file, for your editor.`,
		Example: "  mishap config\n  mishap config --schema > mishap.schema.json",
		Args:    exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if schema {
				return settingsSchema(c)
			}
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			if c.json() {
				return json.NewEncoder(c.out).Encode(a.Settings.Values)
			}
			var text strings.Builder
			return errors.Join(a.Settings.Print(&text), c.print([]byte(words.Fold(text.String(), foldsOf(c.out))), nil))
		},
	}
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the settings file")
	return cmd
}

// settingsSchema prints what a settings file may say.
func settingsSchema(c *cli) error {
	text, err := experiments.FileSchema("https://mishap.example/schema/settings-v1.json", "mishap settings", config.Keys())
	if err != nil {
		return err
	}
	_, err = c.out.Write(text)
	return err
}
