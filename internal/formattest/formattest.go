// Package formattest keeps what the public formats of mishap are: bytes that a
// program of before wrote. Tests let today's program read and restore them, and
// hold what it writes itself to them.
//
// A fixture is never written anew. What a format gains is added to it by hand,
// which says that it is meant.
package formattest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Read gives the bytes of a fixture.
func Read(t testing.TB, name ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{folder(t)}, name...)...))
	if err != nil {
		t.Fatalf("read fixture: %v", err)
	}
	return text
}

// Into decodes a fixture.
func Into(t testing.TB, v any, name ...string) {
	t.Helper()
	if err := json.Unmarshal(Read(t, name...), v); err != nil {
		t.Fatalf("read fixture %s: %v", filepath.Join(name...), err)
	}
}

// Names lists the fixtures of a folder.
func Names(t testing.TB, of string) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(folder(t), of))
	if err != nil {
		t.Fatalf("list fixtures: %v", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// folder is where the fixtures are, from wherever in the module a test runs.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, none := os.Stat(filepath.Join(dir, "go.mod")); none == nil {
			return filepath.Join(dir, "internal", "formattest", "testdata")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("find the fixtures: no go.mod above the test (%v)", err)
	return ""
}

// Kept fails where today's JSON lacks something of the fixture, or has another
// value for it. It may have more.
func Kept(t testing.TB, name string, today []byte) {
	t.Helper()
	kept(t, name, today, rules{})
}

// KeptButForProse is [Kept], and lets what is written for people be other words.
func KeptButForProse(t testing.TB, name string, today []byte) {
	t.Helper()
	kept(t, name, today, rules{prose: true})
}

// KeptForReaders is [KeptButForProse] of a schema that files of before must fit:
// nothing may be required that was not.
func KeptForReaders(t testing.TB, name string, today []byte) {
	t.Helper()
	kept(t, name, today, rules{prose: true, required: true})
}

func kept(t testing.TB, name string, today []byte, r rules) {
	t.Helper()
	var before, now any
	Into(t, &before, name)
	if err := json.Unmarshal(today, &now); err != nil {
		t.Fatalf("read today's %s: %v", name, err)
	}
	for _, lost := range r.lost("", before, now) {
		t.Errorf("%s%s", name, lost)
	}
}
