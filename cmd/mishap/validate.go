package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"mishap/experiments"
	"mishap/internal/catalog"
)

func (c *cli) validateCommand() *cobra.Command {
	var given catalog.Given
	var schema bool
	cmd := &cobra.Command{
		Use:   "validate PATH…",
		Short: "Check experiment files without touching anything",
		Long: `Check experiment files, or all of a folder. Every problem is reported at once,
with file, line and column. Names of proxies are checked if there are settings.
What keeps nothing from running, but may not mean what it seems to, is a
warning; the exit code does not change.`,
		Example: "  mishap validate experiments/\n  mishap validate --schema > experiment.schema.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			if schema {
				return c.print(a.Schema())
			}
			if err := atLeast(1, "at least one file or folder")(cmd, args); err != nil {
				return err
			}
			list, warnings, err := a.Validate(cmd.Context(), args, given)
			note(c, "warning", warnings)
			for _, w := range warnings {
				if w.Msg = "warning: " + w.Msg; !c.json() || err != nil {
					c.tell("%v\n", experiments.Problems{w})
				}
			}
			if err != nil {
				return err
			}
			if c.json() {
				return json.NewEncoder(c.out).Encode(validated{len(list), warnings})
			}
			return c.result("%d valid\n", len(list))
		},
	}
	givenFlags(cmd, &given)
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of experiment files, for editors")
	return cmd
}

// validated is what validate prints as JSON.
type validated struct {
	Valid    int                  `json:"valid"`
	Warnings experiments.Problems `json:"warnings,omitempty"`
}

// print writes generated text to stdout.
func (c *cli) print(text []byte, err error) error {
	if err != nil {
		return err
	}
	_, err = c.out.Write(text)
	return err
}
