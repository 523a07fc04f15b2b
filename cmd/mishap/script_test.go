package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"mishap/internal/report/words"
)

// TestMain lets the test binary be mishap itself, also as the keeper that a run
// starts.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "api":
		os.Exit(askAPI(os.Args[1:]))
	case "calls":
		os.Exit(makeCalls(os.Args[1:]))
	}
	if err := followWall(os.Getenv(wallVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv("MISHAP_TEST_INPUTS") != "" {
		os.Exit(takeInputs())
	}
	if os.Getenv("MISHAP_TEST_PROGRAM") != "" {
		os.Exit(run(context.Background(), environment{args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr, around: crashAt(os.Getenv("MISHAP_TEST_CRASH")), extra: fakeTarget(os.Getenv("MISHAP_TEST_TARGET"))}))
	}
	if signal.Ignored(syscall.SIGHUP) { // as under nohup: what tests start must not inherit that
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(m.Run())
}

func TestScripts(t *testing.T) {
	t.Parallel()
	p := scripts()
	p.Dir = "testdata/script"
	testscript.Run(t, p)
}

// scripts are what all scripts share.
func scripts() testscript.Params {
	return testscript.Params{
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			bin := filepath.Join(e.WorkDir, ".bin")
			program, err := os.Executable()
			if err == nil {
				err = errors.Join(os.Mkdir(bin, 0o755), os.Symlink(program, filepath.Join(bin, "mishap")), os.Symlink(program, filepath.Join(bin, "api")), os.Symlink(program, filepath.Join(bin, "calls")))
			}
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("MISHAP_TEST_PROGRAM", "1")
			e.Setenv("UNIQUE", fmt.Sprint("w", os.Getpid())) // of what the whole machine sees
			e.Setenv("MISHAP_STATE", filepath.Join(e.WorkDir, ".state"))
			e.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(e.WorkDir))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "within": within, "until": until, "signal": send, "fits": fits,
		},
	}
}

// askAPI is "api METHOD PATH [BODY]": it asks the server of this script over its
// socket, and fails where that refuses.
func askAPI(args []string) int {
	m := member{state: os.Getenv("MISHAP_STATE")}
	status, text := m.call(args[0], args[1], strings.Join(args[2:], ""))
	fmt.Println(text)
	if status < 200 || status > 299 {
		return 1
	}
	return 0
}

// exits runs "exits CODE COMMAND…" and wants exactly that exit code. A run that was
// hurried is made again.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	for range tries {
		err = ts.Exec(args[1], args[2:]...)
		got = 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			got = exit.ExitCode()
		} else {
			ts.Check(err)
		}
		if got == want || !hurried(ts.ReadFile("stdout")+ts.ReadFile("stderr")) {
			break
		}
	}
	if got != want {
		ts.Fatalf("%v exits %d, want %d", args[1:], got, want)
	}
}

// tries is how often a run is made that was hurried each time.
const tries = 10

// hurried reports whether a run was inconclusive because the machine was too busy to
// look before its fault was reverted: that is right, and shows nothing of a verdict.
func hurried(said string) bool {
	said = strings.Join(strings.Fields(said), " ")
	return strings.Contains(said, "nobody looked whether") || strings.Contains(said, "nobody saw")
}

// busy is how many times as long as they say waits may take: scripts name times of an idle machine.
const busy = 10

// within repeats "within DURATION exists|gone FILE" until it is so.
func within(ts *testscript.TestScript, _ bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	path := ts.MkAbs(args[2])
	for end := time.Now().Add(busy * limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); (err == nil) == (args[1] == "exists") {
			return
		}
	}
	ts.Fatalf("not within %s: %s %s", limit, args[1], args[2])
}

// until repeats "until DURATION PATTERN COMMAND…" until its output matches, or
// with ! until it does not.
func until(ts *testscript.TestScript, not bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	pattern := regexp.MustCompile("(?m)" + args[1])
	for end := time.Now().Add(busy * limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ts.Exec(args[2], args[3:]...) == nil && pattern.MatchString(ts.ReadFile("stdout")) != not {
			return
		}
	}
	ts.Fatalf("not within %s: %v says %s", limit, args[2:], args[1])
}

// fits is "fits COMMAND…": whatever it answers, no line of that is longer than its reader
// has room for, unless that is because of a path or a URL.
func fits(ts *testscript.TestScript, _ bool, args []string) {
	defer ts.Setenv("COLUMNS", "")
	for _, columns := range []int{60, 80, 140} {
		ts.Setenv("COLUMNS", strconv.Itoa(columns))
		_ = ts.Exec(args[0], args[1:]...)
		said := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if said == "" {
			ts.Fatalf("%v says nothing", args)
		}
		for line := range strings.Lines(said) {
			line = strings.TrimSuffix(line, "\n")
			if n := words.Cells(line); n > columns && !slices.ContainsFunc(strings.Fields(line), func(word string) bool { return strings.Contains(word, "/") && len(word) > columns/2 }) {
				ts.Fatalf("%v: %d of %d columns: %s\nin:\n%s", args, n, columns, line, said)
			}
		}
	}
}

// send is "signal NAME FILE": it signals the process whose id is in the file.
func send(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "USR2": syscall.SIGUSR2, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

func TestHelpNamesEveryVerbAndFitsATerminal(t *testing.T) {
	root := (&cli{}).root(nil)
	help := helpOf(root, 80)
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() && (cmd.GroupID == "" || !strings.Contains(help, "\n  "+cmd.Name()+" ")) {
			t.Errorf("%s is in no group of the help", cmd.Name())
		}
	}
	for _, cmd := range everyVerb(root) {
		if cmd.Short == "" {
			t.Errorf("%s has no summary", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long) {
			if n := len([]rune(line)); n > 81 && !strings.HasPrefix(cmd.CommandPath(), "mishap completion") { // whose texts are not ours
				t.Errorf("%s: a line of %d columns is broken: %s", cmd.CommandPath(), n-1, line)
			}
		}
		text := helpOf(cmd, 80)
		for _, columns := range []int{60, 80, 140} {
			for i, line := range strings.Split(helpOf(cmd, columns), "\n") {
				if n := len([]rune(line)); n > columns && len(strings.Fields(line)) > 1 && !strings.HasPrefix(cmd.CommandPath(), "mishap completion") {
					t.Errorf("%s: line %d of its help has %d of %d columns: %s", cmd.CommandPath(), i+1, n, columns, line)
				}
			}
		}
		if strings.Contains(text, "stringArray") || strings.Contains(text, "stringToString") || strings.Contains(text, "(default [])") {
			t.Errorf("%s: its help speaks Go:\n%s", cmd.CommandPath(), text)
		}
		if usage, codes := strings.Index(text, "\nUsage:\n"), strings.Index(text, "\nExit codes:\n"); usage < 0 || codes < usage {
			t.Errorf("%s: usage is at %d, exit codes at %d", cmd.CommandPath(), usage, codes)
		}
	}
}

// everyVerb is a command that is not hidden, and those below it.
func everyVerb(cmd *cobra.Command) []*cobra.Command {
	if cmd.Hidden {
		return nil
	}
	all := []*cobra.Command{cmd}
	for _, below := range cmd.Commands() {
		all = append(all, everyVerb(below)...)
	}
	return all
}
