package usestest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/spawn"
)

// Case is one use of a kind.
type Case struct {
	Kind     string          // as a person names it: "probe http"
	With     json.RawMessage // its parameters, for [Every]
	Declared mishap.Uses     // by the kind, of what Work works with
	// Granted is what is used besides, whatever an experiment says: what the
	// settings name, such as a control socket ("unix:" and its path in Hosts), and
	// what the kind must always look at, such as processes. A path may have the
	// wildcards of [path.Match].
	Granted mishap.Uses
	Work    func() // all that the kind ever does with them
}

// Check fails the test for what the work of a case starts, opens and connects to
// beside what was declared, and lists what was declared and not used. The running
// test is started again in a process that strace watches, up to this call, where it
// does the work; so what the test does before is done in both. It skips the test
// where strace cannot run.
func Check(t *testing.T, c Case) {
	t.Helper()
	undeclared, unused := trace(t, c)
	for _, problem := range undeclared {
		t.Error(problem)
	}
	if len(unused) > 0 {
		t.Logf("%s declares, and did not use here: %s", c.Kind, strings.Join(unused, ", "))
	}
}

// trace is Check, and answers with what it finds.
func trace(t *testing.T, c Case) (undeclared, unused []string) {
	t.Helper()
	if folder, inside := os.LookupEnv(folderFromEnv); inside {
		c.perform(t, folder)
		t.SkipNow() // what the test does with the trace is for the process that has it
	}
	s, log := rerun(t)
	used, err := between(log)
	if err != nil {
		t.Fatalf("read trace of %s: %v", c.Kind, err)
	}
	return s.judge(used)
}

// statement is what the process that works says of itself before it begins.
type statement struct {
	Kind              string
	Declared, Granted mishap.Uses
	Programs          []string // that the declared commands mean, in their order; empty where there is none
	Dir               string   // that it runs in
	Environ           []string // that it has
}

// perform does the work, in the process that is watched.
func (c Case) perform(t *testing.T, folder string) {
	t.Helper()
	s := statement{Kind: c.Kind, Declared: c.Declared, Granted: c.Granted, Environ: os.Environ()}
	var err error
	if s.Dir, err = os.Getwd(); err != nil {
		t.Fatal(err)
	}
	for _, c := range c.Declared.Commands {
		program, _ := spawn.Find(c.Program, c.Dir, os.Getenv("PATH"))
		s.Programs = append(s.Programs, program)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(statementIn(folder), text, 0o600); err != nil {
		t.Fatal(err)
	}
	mark(begin)
	defer mark(end)
	c.Work()
}

// Opening these, which are not there, is where the trace of the work begins and
// ends; what a process does to get going, and the test around it, is left out.
const (
	begin = "/mishap/usestest/begin"
	end   = "/mishap/usestest/end"
)

func mark(path string) { _, _ = os.ReadFile(path) }
