package experiments_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/experiments"
)

// catalogs are small stand-ins for the catalogs of the program.
func catalogs() experiments.Catalogs {
	return experiments.Catalogs{
		Injectors: []mishap.InjectorKind{
			injector("exec", execWith{}, nil),
			sampled(injector("process-stop", nil, processTargets{})),
			injector("process-kill", processWith{}, processTargets{}),
			injector("proxy-latency", latencyWith{}, proxyTargets{}),
			confined(injector("proxy-http-latency", latencyWith{}, proxyTargets{})),
		},
		Probes: []mishap.ProbeKind{
			{Kind: mishap.Kind{Name: "callers", Params: processWith{}}, Expect: callersExpect{}, New: newProbe[processWith, callersExpect], OwnArms: func(mishap.ProbeSpec) []string { return []string{"expect.opens"} }},
			{Kind: mishap.Kind{Name: "exec", Params: execWith{}}, New: newProbe[execWith, struct{}]},
			{Kind: mishap.Kind{Name: "http", Params: httpWith{}}, Expect: httpExpect{}, New: newProbe[httpWith, httpExpect]},
		},
		Safeguards: []mishap.SafeguardKind{
			{Kind: mishap.Kind{Name: "irreversible", Params: irreversibleWith{}}, New: newSafeguard[irreversibleWith]},
			{Kind: mishap.Kind{Name: "window", Params: windowWith{}}, New: newSafeguard[windowWith]},
		},
		Sources: []mishap.SourceKind{
			{Kind: mishap.Kind{Name: "prometheus", Params: sourceWith{}}, Check: checkSource},
			{Kind: mishap.Kind{Name: "proxy"}, Check: func(mishap.CompareMetric) error { return nil }},
		},
	}
}

func confined(k mishap.InjectorKind) mishap.InjectorKind {
	k.Arms = true

	return k
}

type sourceWith struct {
	URL string `json:"url" jsonschema:"where it answers"`
}

func checkSource(m mishap.CompareMetric) error {
	var with sourceWith
	if err := mishap.Decode("with", m.With, &with); err != nil {
		return err
	}
	if with.URL == "" {
		return &mishap.FieldError{Path: "with.url", Msg: "is empty"}
	}
	return nil
}

type callersExpect struct {
	Opens string `json:"opens,omitempty" jsonschema:"when they stop calling"`
}

type execWith struct {
	Command []string `json:"command" jsonschema:"program and arguments"`
}

type httpWith struct {
	Method  string                   `json:"method,omitempty" jsonschema:"request method"`
	URL     string                   `json:"url" jsonschema:"what to ask for"`
	Headers map[string]mishap.Secret `json:"headers,omitempty" jsonschema:"request headers"`
	Body    mishap.Secret            `json:"body,omitzero" jsonschema:"request body"`
}

type httpExpect struct {
	Status  int             `json:"status,omitempty" jsonschema:"expected status"`
	Latency mishap.Duration `json:"latency,omitempty" jsonschema:"longest time"`
}

type processTargets struct {
	Name string `json:"name,omitempty" jsonschema:"name of the process"`
	PID  int    `json:"pid,omitempty" jsonschema:"id of the process"`
	Pick int    `json:"pick,omitempty" jsonschema:"how many"`
}

type processWith struct {
	Signal string `json:"signal,omitempty" jsonschema:"signal to send"`
}

type proxyTargets struct {
	Proxy string `json:"proxy" jsonschema:"name of the proxy"`
}

type latencyWith struct {
	Delay  mishap.Duration `json:"delay" jsonschema:"time added"`
	Jitter mishap.Duration `json:"jitter,omitempty" jsonschema:"variation"`
}

type irreversibleWith struct {
	Allow bool `json:"allow" jsonschema:"whether it is allowed"`
}

type windowWith struct {
	Days     string `json:"days,omitempty" jsonschema:"days of the week"`
	Hours    string `json:"hours,omitempty" jsonschema:"hours of the day"`
	Timezone string `json:"timezone,omitempty" jsonschema:"IANA name"`
}

// checked is a stand-in's own rule.
func checked(path string, value any) error {
	switch v := value.(type) {
	case *httpWith:
		if !strings.HasPrefix(v.URL, "http") {
			return &mishap.FieldError{Path: path + ".url", Msg: "must begin with http:// or https://", Hint: "for example http://localhost:8080"}
		}
	case *latencyWith:
		if v.Delay == 0 {
			return fmt.Errorf("check delay: %w", errors.Join(&mishap.FieldError{Path: path + ".delay", Msg: "must be longer than 0s"}))
		}
	case *processTargets:
		if v.Name == "" && v.PID == 0 {
			return mishap.WithHint(errors.New("a process is not named"), "give a name or a pid")
		}
	}
	return nil
}

func read[T any](path string, raw json.RawMessage) error {
	var value T
	return errors.Join(mishap.Decode(path, raw, &value), checked(path, &value))
}

func injector(name string, with, targets any) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind:    mishap.Kind{Name: name, Params: with},
		Targets: targets,
		Ramps:   name == "proxy-latency",
		New: func(f mishap.Fault) (mishap.Injector, error) {
			var errs []error
			for path, raw := range map[string]json.RawMessage{"with": f.With, "targets": f.Targets} {
				value := map[string]any{"with": with, "targets": targets}[path]
				switch value.(type) {
				case execWith:
					errs = append(errs, read[execWith](path, raw))
				case processWith:
					errs = append(errs, read[processWith](path, raw))
				case processTargets:
					errs = append(errs, read[processTargets](path, raw))
				case latencyWith:
					errs = append(errs, read[latencyWith](path, raw))
				case proxyTargets:
					errs = append(errs, read[proxyTargets](path, raw))
				}
			}
			return nil, errors.Join(errs...)
		},
	}
}

func newProbe[W, E any](s mishap.ProbeSpec) (mishap.Probe, error) {
	return nil, errors.Join(read[W]("with", s.With), read[E]("expect", s.Expect))
}

func newSafeguard[W any](with json.RawMessage) (mishap.Safeguard, error) {
	return nil, read[W]("with", with)
}

// options are what tests check against unless they say otherwise.
func options() experiments.Options {
	return experiments.Options{
		Catalogs:     catalogs(),
		Proxies:      []string{"payments", "edge"},
		CheckProxies: true,
		LongestRun:   3600e9,
	}
}

// problems loads paths and returns what is wrong with them.
func problems(t *testing.T, o experiments.Options, paths ...string) experiments.Problems {
	t.Helper()
	all, err := experiments.Load(context.Background(), paths, o)
	if err == nil {
		return nil
	}
	if len(all) != 0 {
		t.Errorf("%d experiments are returned beside problems", len(all))
	}
	var found experiments.Problems
	if !errors.As(err, &found) {
		t.Fatalf("error is not Problems: %v", err)
	}
	return found
}

func contains(found experiments.Problems, msg string) bool {
	return slices.ContainsFunc(found, func(p experiments.Problem) bool { return strings.Contains(p.Msg, msg) })
}

func sampled(k mishap.InjectorKind) mishap.InjectorKind {
	k.Samples = true
	return k
}
