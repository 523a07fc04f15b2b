// Package probes is the catalog of measurements: one file each.
//
// A probe tells three things apart: what was expected was seen (met), something
// else was, or nothing was in time (unmet), and the measuring itself failed
// (unknown). A refused or reset connection is an answer of the system: unmet. A
// metrics server that is down says nothing about the system: unknown.
package probes

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"mishap"
)

// Deps is what probes need from the rest of the program, to look up secrets at
// the moment of an observation. Nil fields mean this process's environment and
// file system.
type Deps struct {
	LookupEnv func(string) (string, bool)
	ReadFile  func(string) ([]byte, error)
}

// Catalog lists all probes, sorted by name.
func Catalog(d Deps) []mishap.ProbeKind {
	if d.LookupEnv == nil {
		d.LookupEnv = os.LookupEnv
	}
	if d.ReadFile == nil {
		d.ReadFile = os.ReadFile
	}
	return []mishap.ProbeKind{execKind(d), httpKind(d), prometheusKind(d), tcpKind(d)}
}

// secrets resolves references and remembers what they were, to strike it out
// of everything that is written.
type secrets struct {
	Deps
	seen []string
}

func (s *secrets) resolve(v mishap.Secret) (string, error) {
	text := v.Value
	switch {
	case v.Env != "":
		value, ok := s.LookupEnv(v.Env)
		if !ok {
			return "", fmt.Errorf("environment variable %s of a secret is not set", v.Env)
		}
		text = value
	case v.File != "":
		data, err := s.ReadFile(v.File)
		if err != nil {
			return "", fmt.Errorf("read file of a secret: %w", err)
		}
		text = strings.TrimSuffix(string(data), "\n")
	default:
		return text, nil
	}
	if text != "" {
		s.seen = append(s.seen, text)
	}
	return text, nil
}

// clean strikes secrets out of an observation.
func (s *secrets) clean(o mishap.Observation) mishap.Observation {
	// Longest first, or the rest of one that contains another would stay.
	sort.Slice(s.seen, func(i, j int) bool { return len(s.seen[i]) > len(s.seen[j]) })
	for _, secret := range s.seen {
		o.Value = strings.ReplaceAll(o.Value, secret, "[secret]")
		o.Detail = strings.ReplaceAll(o.Detail, secret, "[secret]")
	}
	return o
}

func met(value string) mishap.Observation {
	return mishap.Observation{Result: mishap.Met, Value: value}
}

func unmet(value, format string, args ...any) mishap.Observation {
	return mishap.Observation{Result: mishap.Unmet, Value: value, Detail: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) mishap.Observation {
	return mishap.Observation{Result: mishap.Unmeasured, Detail: fmt.Sprintf(format, args...)}
}

func wrong(path, format string, args ...any) error {
	return &mishap.FieldError{Path: path, Msg: fmt.Sprintf(format, args...)}
}

// judge gives the observation of a value and everything that is wrong with it.
func judge(value string, problems ...string) mishap.Observation {
	var said []string
	for _, p := range problems {
		if p != "" {
			said = append(said, p)
		}
	}
	if said == nil {
		return met(value)
	}
	return unmet(value, "%s", strings.Join(said, "; "))
}

// decode reads parameters and expectations and reports the problems of both.
func decode(s mishap.ProbeSpec, with, expect any) error {
	return errors.Join(mishap.Decode("with", s.With, with), mishap.Decode("expect", s.Expect, expect))
}
