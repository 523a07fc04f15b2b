package catalog

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/runner"
)

// Guards makes the safeguards of a run: those always asked, with what the
// experiment says to them, and those that it names. Run is empty while planning;
// keeper answers the keeper's process id, and may be nil.
func (c *Catalog) Guards(run string, keeper func() int, e mishap.Experiment) ([]runner.Guard, error) {
	var all []runner.Guard
	for _, k := range c.safeguardsOf(run, keeper) {
		named := false
		for _, spec := range e.Safeguards {
			if spec.Safeguard != k.Name {
				continue
			}
			named = true
			g, err := k.New(spec.With)
			if err != nil {
				return nil, fmt.Errorf("make safeguard %s: %w", k.Name, err)
			}
			all = append(all, runner.Guard{Name: uniqueName(all, k.Name), Safeguard: g})
		}
		if named || !k.Always {
			continue
		}
		g, err := k.New(nil)
		if err != nil {
			return nil, fmt.Errorf("make safeguard %s: %w", k.Name, err)
		}
		all = append(all, runner.Guard{Name: k.Name, Safeguard: g})
	}
	return all, nil
}

// uniqueName tells two safeguards of one kind apart.
func uniqueName(all []runner.Guard, name string) string {
	n := 1
	for _, g := range all {
		if g.Name == name || strings.HasPrefix(g.Name, name+" ") {
			n++
		}
	}
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s %d", name, n)
}
