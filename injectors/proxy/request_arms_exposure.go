package proxy

import (
	"encoding/json"
	"fmt"
	"slices"

	"mishap"
)

// ExposureOf reads it off an experiment. It can be told where the arms are of
// requests, the proxy of the arms counts them, and whether a fault hits a request
// depends on the request alone.
func ExposureOf(e mishap.Experiment) Exposure {
	if e.Compare == nil || e.Compare.Arms.From != mishap.ArmsFromRequests {
		return Exposure{}
	}
	if specOf(*e.Compare).Counts == nil {
		return Exposure{Unknown: "no metric is counted by the proxy of the arms"}
	}
	var x Exposure
	for i, f := range e.Faults {
		one, key, why := exposedTo(f)
		if why != "" {
			x = Exposure{Unknown: why}
			if key != "" {
				x.Path = fmt.Sprintf("faults[%d].with.%s", i, key)
			}
			return x
		}
		x.Faults = append(x.Faults, one)
	}
	return x
}

// Warning is one of the parameter that keeps it from being known, for whoever
// writes the experiment; nil if there is none.
func (x Exposure) Warning() error {
	if x.Path == "" {
		return nil
	}
	return &mishap.Warning{FieldError: mishap.FieldError{
		Path: x.Path, Msg: x.Unknown + ": all requests are compared, and what met the fault not by itself, in which little harm is not seen",
		Hint: "leave maxActive out, and bound whom it hits by share",
	}}
}

// exposedTo is the fault as its proxy reads it, or why it is not known whom it
// meets, and by which of its parameters.
func exposedTo(f mishap.Fault) (one Fault, key, why string) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == f.Injector && k.arms })
	if i < 0 {
		return Fault{}, "", f.Injector + " hits no requests of a proxy"
	}
	k := all[i]
	with, t, err := k.readFault(f)
	if err != nil {
		return Fault{}, "", err.Error()
	}
	effect, err := json.Marshal(with.effect())
	var hits struct {
		MaxActive int64 `json:"maxActive"`
	}
	if err == nil {
		err = json.Unmarshal(effect, &hits)
	}
	switch {
	case err != nil:
		return Fault{}, "", err.Error()
	case hits.MaxActive > 0:
		return Fault{}, "maxActive", fmt.Sprintf("with maxActive it depends on other requests whether %s hits one", f.Name)
	}
	return Fault{ID: f.Name, Proxy: t.Proxy, Kind: k.effect, With: effect, Seed: with.hit().seed, Share: float64(with.hit().share)}, "", ""
}
