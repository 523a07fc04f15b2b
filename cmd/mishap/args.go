package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mishap"
)

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// exactly is cobra's ExactArgs with a sentence that says what is missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		if n == 0 && cmd.HasAvailableSubCommands() {
			return knownVerb(cmd, args)
		}
		return usageError{mishap.WithHint(fmt.Errorf("%s takes %s, not %s", cmd.CommandPath(), what, mishap.Plural(int64(len(args)), "argument")),
			"see `"+cmd.CommandPath()+" --help`")}
	}
}

// atLeast is cobra's MinimumNArgs with a sentence.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return usageError{mishap.WithHint(fmt.Errorf("%s takes %s", cmd.CommandPath(), what), "see `"+cmd.CommandPath()+" --help`")}
	}
}

// atMost is cobra's MaximumNArgs with a sentence.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return usageError{mishap.WithHint(fmt.Errorf("%s takes at most %s, not %d", cmd.CommandPath(), mishap.Plural(int64(n), "argument"), len(args)), "see `"+cmd.CommandPath()+" --help`")}
	}
}

// knownVerb refuses a verb that does not exist, with the nearest one that does.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var verbs []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			verbs = append(verbs, c.Name())
		}
	}
	return usageError{mishap.WithHint(fmt.Errorf("there is no command %q", args[0]), mishap.Suggest(args[0], verbs))}
}
