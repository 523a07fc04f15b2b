package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const buildExperiment = `version: 1
name: NAME
claim: It works.
tags: {service: SERVICE}
steadyState: [{name: up, probe: exec, with: {argv: ["PROBE"]}, every: 50ms}]
faults:
  - {name: f, injector: exec, with: {inject: [touch, touched], revert: [rm, -f, touched], verify: [test, -e, touched], diesWith: boot}, for: 500ms}
blastRadius: {targets: 1}
`

// build is a folder as a build has it, with mishap on its PATH.
type build struct {
	*testing.T
	folder string
	env    []string
}

func newBuild(t *testing.T) build {
	t.Helper()
	folder, program := t.TempDir(), self(t)
	b := build{t, folder, append(os.Environ(), "PATH="+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"), "MISHAP_TEST_PROGRAM=1",
		"MISHAP_STATE="+filepath.Join(folder, "state"), "WORKSPACE="+folder, "GIT_CEILING_DIRECTORIES="+filepath.Dir(folder))}
	if err := errors.Join(os.MkdirAll(filepath.Join(folder, "bin"), 0o755), os.Symlink(program, filepath.Join(folder, "bin", "mishap"))); err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string][2]string{"good": {"shop", "true"}, "a bad one": {"pay", "false"}} {
		text := strings.NewReplacer("NAME", strings.ReplaceAll(name, " ", "-"), "SERVICE", values[0], "PROBE", values[1]).Replace(buildExperiment)
		b.write(filepath.Join("experiments", name+".yaml"), text)
	}
	return b
}

func self(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func (b build) write(name, text string) {
	b.Helper()
	path := filepath.Join(b.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		b.Fatal(err)
	}
}

// sh runs a program in the folder and gives its exit code and all that it says; one
// whose runs were hurried runs again.
func (b build) sh(env []string, argv ...string) (int, string) {
	b.Helper()
	for try := 1; ; try++ {
		cmd := exec.Command(argv[0], argv[1:]...)
		var out bytes.Buffer
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.folder, append(b.env, env...), &out, &out
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			b.Fatal(err)
		}
		if !hurried(out.String()) || try == tries {
			return cmd.ProcessState.ExitCode(), out.String()
		}
	}
}

// wrote fails unless the build has a JUnit report of so many runs and errors.
func (b build) wrote(tests, bad int) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(b.folder, "mishap-reports", "junit.xml"))
	if want := fmt.Sprintf(`tests="%d" failures="0" errors="%d"`, tests, bad); err != nil || !strings.Contains(string(text), want) {
		b.Errorf("%v; no %s in %s", err, want, text)
	}
}

// deployed is the text of a file in deploy/ci.
func deployed(t *testing.T, name string) (path, text string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "deploy", "ci", name))
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, string(all)
}

func TestTheActionRunsWhatItsInputsSay(t *testing.T) {
	t.Parallel()
	run, _ := deployed(t, "github/run")
	for name, tt := range map[string]struct {
		env         []string
		code        int
		tests, bad  int
		says, never string
	}{
		"defaults":              {nil, 5, 2, 1, "1 refused, 1 held", ""},
		"a tag":                 {[]string{"MISHAP_RUN_TAGS=\nservice=shop\r\n"}, 0, 1, 0, "", "refused"},
		"refused is allowed":    {[]string{"MISHAP_RUN_ALLOW_REFUSED=true", "MISHAP_RUN_FAIL_FAST=false"}, 0, 2, 0, "1 refused, 1 held", ""},
		"the first is the last": {[]string{"MISHAP_RUN_FAIL_FAST=true"}, 5, 2, 1, "1 refused, 1 not run", ""},
		"paths, one with a space": {[]string{"MISHAP_RUN_PATHS=experiments/a bad one.yaml\nexperiments/good.yaml\n", "MISHAP_RUN_FAIL_FAST=false"},
			5, 2, 1, "1 refused, 1 held", ""},
		"text that a shell would act on": {[]string{"MISHAP_RUN_TAGS=$(touch owned)`touch owned`; touch owned"}, 2, -1, 0, "none of 2 experiments", ""},
		"a path that looks like a flag":  {[]string{"MISHAP_RUN_PATHS=--no-fault"}, 2, -1, 0, "no-fault", ""},
		"a time to wait":                 {[]string{"MISHAP_RUN_WAIT=200ms", "MISHAP_RUN_FAIL_FAST=true"}, 5, 2, 1, "tries in ", ""},
		"a time that is none":            {[]string{"MISHAP_RUN_WAIT=soon"}, 2, -1, 0, "soon", ""},
		"an input that is neither":       {[]string{"MISHAP_RUN_FAIL_FAST=yes"}, 2, -1, 0, "fail-fast is true or false, not yes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBuild(t)
			code, out := b.sh(tt.env, "bash", run)
			if code != tt.code || !strings.Contains(out, tt.says) || tt.never != "" && strings.Contains(out, tt.never) {
				t.Errorf("exit %d, want %d, and %q but not %q in:\n%s", code, tt.code, tt.says, tt.never, out)
			}
			if tt.tests >= 0 {
				b.wrote(tt.tests, tt.bad)
			}
			if _, err := os.Stat(filepath.Join(b.folder, "owned")); err == nil {
				t.Error("the shell acted on an input")
			}
		})
	}
}

func TestTheActionSetsEveryInputThatItsScriptsRead(t *testing.T) {
	_, action := deployed(t, "github/action.yml")
	for _, script := range []string{"github/run", "github/install"} {
		_, text := deployed(t, script)
		for _, name := range regexp.MustCompile(`MISHAP_[A-Z0-9_]+`).FindAllString(text, -1) {
			if !strings.Contains(action, name+": ${{ inputs.") {
				t.Errorf("%s reads %s, which action.yml does not set", script, name)
			}
		}
	}
}

func TestTheActionInstallsOnlyTheArchiveOfItsChecksum(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: no curl; the testbed has it")
	}
	install, _ := deployed(t, "github/install")
	b := newBuild(t)
	b.write("mishap-v1/mishap", "#!/bin/sh\necho v1\n")
	if code, out := b.sh(nil, "sh", "-c", "chmod +x mishap-v1/mishap && tar -czf archive.tar.gz mishap-v1"); code != 0 {
		t.Fatal(out)
	}
	archive, err := os.ReadFile(filepath.Join(b.folder, "archive.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(b.folder)))
	defer server.Close()
	paths := filepath.Join(b.folder, "paths")
	env := []string{"MISHAP_ARCHIVE=" + server.URL + "/archive.tar.gz", "GITHUB_PATH=" + paths, "RUNNER_TEMP=" + filepath.Join(b.folder, "temp")}
	for sum, want := range map[string]int{"": 2, "x": 2, strings.Repeat("0", 64): 1} {
		if code, out := b.sh(append(env, "MISHAP_SHA256="+sum), "bash", install); code != want {
			t.Errorf("checksum %q: exit %d, want %d: %s", sum, code, want, out)
		}
		if _, err := os.Stat(paths); err == nil {
			t.Fatalf("checksum %q: it is installed", sum)
		}
	}
	if code, out := b.sh(append(env, fmt.Sprintf("MISHAP_SHA256=%x", sha256.Sum256(archive))), "bash", install); code != 0 || out != "v1\n" {
		t.Fatalf("exit %d: %s", code, out)
	}
	folder, err := os.ReadFile(paths)
	if code, out := b.sh(nil, filepath.Join(strings.TrimSpace(string(folder)), "mishap")); err != nil || code != 0 || out != "v1\n" {
		t.Errorf("what follows finds no mishap in %q: %v, exit %d: %s", folder, err, code, out)
	}
}

// What GitLab and Jenkins are given is run as they run it: the lines of the file.
func TestTheScriptsOfGitLabAndJenkinsRun(t *testing.T) {
	t.Parallel()
	_, gitlab := deployed(t, "gitlab.yml")
	_, jenkins := deployed(t, "Jenkinsfile")
	scripts := map[string][]string{
		"gitlab":  regexp.MustCompile(`(?m)^  script:\n    - (.*)$`).FindStringSubmatch(gitlab),
		"jenkins": regexp.MustCompile(`(?m)^ +sh '(.*)'$`).FindStringSubmatch(jenkins),
	}
	for name, found := range scripts {
		if found == nil {
			t.Fatalf("no script in the file for %s", name)
		}
		b := newBuild(t)
		code, out := b.sh([]string{"MISHAP_RUN=experiments/ --fail-fast"}, "sh", "-e", "-c", found[1])
		if code != 5 || !strings.Contains(out, "1 refused, 1 ") {
			t.Errorf("%s: exit %d, want 5:\n%s", name, code, out)
		}
		b.wrote(2, 1)
	}
}
