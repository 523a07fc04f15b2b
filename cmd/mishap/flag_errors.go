package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mishap"
)

// takes is what a kind of flag takes, by the name that the library has for it.
func takes(kind string) string {
	switch kind {
	case "duration":
		return "a duration such as 300ms, 90s or 15m"
	case "bool":
		return "true or false, or nothing"
	case "int", "int32", "int64", "uint", "uint16", "uint32", "uint64":
		return "a whole number"
	case "float32", "float64":
		return "a number"
	}
	return "something else"
}

// wrongFlag says what is wrong with a flag, in our words.
func wrongFlag(cmd *cobra.Command, err error) error {
	hint := "see `mishap help`"
	if cmd.HasParent() {
		hint = fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	}
	var value *pflag.InvalidValueError
	var nothing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		err = fmt.Errorf("--%s takes %s, not %q", f.Name, takes(f.Value.Type()), value.GetValue())
	case errors.As(err, &nothing):
		err = fmt.Errorf("%s needs a value", flagNamed(nothing.GetSpecifiedShortnames(), nothing.GetSpecifiedName()))
	case errors.As(err, &unknown):
		name := flagNamed(unknown.GetSpecifiedShortnames(), unknown.GetSpecifiedName())
		err = fmt.Errorf("%s has no flag %s", cmd.CommandPath(), name)
		if near := mishap.Nearest(name, flagsOf(cmd)); near != "" {
			hint = near + "; " + hint
		}
	}
	return mishap.WithHint(err, hint)
}

func flagNamed(short, name string) string {
	if short != "" {
		return "-" + name
	}
	return "--" + name
}

// flagsOf are the flags of a verb, as they are typed.
func flagsOf(cmd *cobra.Command) (all []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all = append(all, "--"+f.Name)
		}
	})
	slices.Sort(all)
	return all
}
