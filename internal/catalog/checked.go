package catalog

import (
	"encoding/json"
	"errors"

	"mishap"
	"mishap/experiments"
	"mishap/safeguards"
)

// Checked are the kinds as what people write is checked against them: they also
// refuse secrets in plain text. What was checked and recorded once is made of
// the kinds as they are, whatever rules came since.
func (c *Catalog) Checked() experiments.Catalogs {
	deps := c.safeguardDeps("", nil)
	deps.Probe = c.CheckProbe
	all := experiments.Catalogs{Injectors: c.Injectors(), Probes: c.Probes(), Safeguards: safeguards.Catalog(deps), Sources: sourceKinds()}
	for i, k := range all.Injectors {
		all.Injectors[i].New = func(f mishap.Fault) (mishap.Injector, error) {
			made, err := k.New(f)
			return made, errors.Join(mishap.PlainSecrets("targets", f.Targets, k.Targets), mishap.PlainSecrets("with", f.With, k.Params), err)
		}
	}
	for i, k := range all.Probes {
		all.Probes[i].New = func(spec mishap.ProbeSpec) (mishap.Probe, error) { return checkedProbe(k, spec) }
	}
	for i, k := range all.Safeguards {
		all.Safeguards[i].New = func(with json.RawMessage) (mishap.Safeguard, error) {
			made, err := k.New(with)
			return made, errors.Join(mishap.PlainSecrets("with", with, k.Params), err)
		}
	}
	for i, k := range all.Sources {
		all.Sources[i].Check = func(m mishap.CompareMetric) error {
			return errors.Join(mishap.PlainSecrets("with", m.With, k.Params), k.Check(m))
		}
	}
	return all
}

// CheckProbe makes a probe of what somebody has written, see [Catalog.Checked].
func (c *Catalog) CheckProbe(spec mishap.ProbeSpec) (mishap.Probe, error) {
	k, err := c.probeKind(spec.Probe)
	if err != nil {
		return nil, err
	}
	return checkedProbe(k, spec)
}

func checkedProbe(k mishap.ProbeKind, spec mishap.ProbeSpec) (mishap.Probe, error) {
	made, err := k.New(spec)
	return made, errors.Join(mishap.PlainSecrets("with", spec.With, k.Params), mishap.PlainSecrets("expect", spec.Expect, k.Expect), err)
}
