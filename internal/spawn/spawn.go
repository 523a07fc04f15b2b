// Package spawn starts processes: the one place that does, so that all of them
// begin alike. It also has what all commands that users write have in common: how
// they must look, and that what they started dies with them when they are killed.
package spawn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mishap"
)

// Check names every problem of a command below with.argv and with.env. Example
// is a command as it should be written.
func Check[V any](argv []string, env map[string]V, example string) error {
	var problems []error
	if len(argv) == 0 || argv[0] == "" {
		problems = append(problems, &mishap.FieldError{Path: "with.argv", Msg: "a command is missing", Hint: "write it like " + example})
	}
	for i, arg := range argv {
		if strings.ContainsRune(arg, 0) {
			problems = append(problems, &mishap.FieldError{Path: fmt.Sprintf("with.argv[%d]", i), Msg: "holds a zero byte"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			problems = append(problems, &mishap.FieldError{Path: "with.env." + name, Msg: fmt.Sprintf("%q is not the name of a variable", name)})
		}
	}
	return errors.Join(problems...)
}
