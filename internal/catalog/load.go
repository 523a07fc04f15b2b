package catalog

import (
	"context"

	"mishap"
	"mishap/experiments"
	proxyfault "mishap/injectors/proxy"
)

// Load reads experiments. Names of proxies are checked if strict, or if there
// are settings.
func (c *Catalog) Load(ctx context.Context, paths []string, given Given, strict bool) ([]mishap.Experiment, error) {
	list, err := experiments.Load(ctx, paths, c.LoadOptions(given, strict))
	if err != nil {
		return nil, mishap.Invalid(err)
	}
	return list, nil
}

// Validate reads experiments as [Catalog.Load] does, and says what keeps none of
// them from running, but does not mean what many would take it for.
func (c *Catalog) Validate(ctx context.Context, paths []string, given Given) (list []mishap.Experiment, warnings experiments.Problems, err error) {
	o := c.LoadOptions(given, false)
	o.Warn = func(w experiments.Problem) { warnings = append(warnings, w) }
	if list, err = experiments.Load(ctx, paths, o); err != nil {
		err = mishap.Invalid(err)
	}
	return list, warnings, err
}

// Given are the values that variables of experiments get from outside.
type Given struct {
	Vars        map[string]string
	Environment string // name of a file of values; empty: none
}

// LoadOptions are what experiments are read and checked with.
func (c *Catalog) LoadOptions(given Given, strict bool) experiments.Options {
	o := experiments.Options{
		Catalogs: c.Checked(), Vars: given.Vars, Environment: given.Environment, LongestRun: c.settings.LongestRun.Std(),
		CheckProxies: strict || c.settings.File != "",
		Schedule:     c.checkSchedule,
		Compare:      func(e mishap.Experiment) error { return proxyfault.ExposureOf(e).Warning() },
	}
	for _, p := range c.settings.Proxies {
		o.Proxies = append(o.Proxies, p.Name)
	}
	return o
}

// Schema is the JSON Schema of experiment files.
func (c *Catalog) Schema() ([]byte, error) { return experiments.Schema(c.Checked()) }
