package probes_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/probes"
)

// patience is the timeout of observations that are not about being late.
const patience = 2 * time.Minute

// world is an environment and a file system for secrets.
func world() probes.Deps {
	env := map[string]string{"TOKEN": "hunter2-is-long", "EMPTY": ""}
	files := map[string]string{"/run/token": "from-a-file\n"}
	return probes.Deps{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return os.ReadFile(path)
		},
	}
}

// object is a JSON mapping.
type object map[string]any

func build(kind string, with, expect any, timeout time.Duration) (mishap.Probe, error) {
	spec := mishap.ProbeSpec{Name: "p", Probe: kind, Timeout: mishap.Duration(timeout)}
	spec.With, _ = json.Marshal(with)
	if expect != nil {
		spec.Expect, _ = json.Marshal(expect)
	}
	for _, k := range probes.Catalog(world()) {
		if k.Name == kind {
			return k.New(spec)
		}
	}
	return nil, errors.New("no such kind")
}

func observe(t *testing.T, kind string, with, expect any) mishap.Observation {
	t.Helper()
	return observeFor(t, kind, with, expect, patience)
}

func observeFor(t *testing.T, kind string, with, expect any, timeout time.Duration) mishap.Observation {
	t.Helper()
	p, err := build(kind, with, expect, timeout)
	if err != nil {
		t.Fatalf("build %s: %v", kind, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return p.Observe(ctx)
}

// wantWithin observes within so short a time that the time ends it, and fails unless the result is as wanted each time, and in the
// end the detail too. On a busy machine less may have happened by then: it is given twice the time, and again.
func wantWithin(t *testing.T, kind string, with, expect any, result mishap.Result, detail func(limit time.Duration) string) {
	t.Helper()
	for limit := 50 * time.Millisecond; ; limit *= 2 {
		o := observeFor(t, kind, with, expect, limit)
		if o.Result == result && !strings.Contains(o.Detail, detail(limit)) && limit < patience {
			continue
		}
		want(t, o, result, detail(limit))
		return
	}
}

// want fails unless the observation has the result, and the part in its detail.
func want(t *testing.T, o mishap.Observation, result mishap.Result, part string) {
	t.Helper()
	if o.Result != result || !strings.Contains(o.Detail, part) {
		t.Errorf("observation is %s, %q, %q; want %s with %q", o.Result, o.Value, o.Detail, result, part)
	}
}

// wantProblems fails unless building reports a problem at each of the paths.
func wantProblems(t *testing.T, kind string, with, expect any, paths ...string) {
	t.Helper()
	p, err := build(kind, with, expect, patience)
	if err == nil || p != nil {
		t.Errorf("%s with %v, expect %v: probe %v, error %v", kind, with, expect, p, err)
		return
	}
	found := map[string]bool{}
	flatten(err, found)
	for _, path := range paths {
		if !found[path] {
			t.Errorf("%s with %v, expect %v: no problem at %s in\n%v", kind, with, expect, path, err)
		}
	}
	if len(found) != len(paths) {
		t.Errorf("%s with %v, expect %v: want problems at %v, have\n%v", kind, with, expect, paths, err)
	}
}

func flatten(err error, found map[string]bool) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			flatten(one, found)
		}
		return
	}
	var field *mishap.FieldError
	if errors.As(err, &field) {
		found[field.Path] = true
		return
	}
	found["not a field error: "+err.Error()] = true
}
