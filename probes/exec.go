package probes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/spawn"
)

const (
	outputLimit = 64 << 10               // bytes of output that are kept
	lingerLimit = 500 * time.Millisecond // how long children may hold the output open after the command ended
)

type execParams struct {
	Argv  []string                 `json:"argv" jsonschema:"the command and its arguments; there is no shell unless the first one is"`
	Env   map[string]mishap.Secret `json:"env,omitempty" jsonschema:"variables added to the environment"`
	Dir   string                   `json:"dir,omitempty" jsonschema:"folder to run in; default is the current one"`
	Stdin mishap.Secret            `json:"stdin,omitzero" jsonschema:"what the command reads from its standard input"`
}

type execExpect struct {
	Exit          any             `json:"exit,omitempty" jsonschema:"an exit code or a list of them; default 0"`
	Stdout        string          `json:"stdout,omitempty" jsonschema:"text that the output must contain"`
	StdoutMatches string          `json:"stdoutMatches,omitempty" jsonschema:"regular expression (RE2) that the output must match"`
	Value         *comparedAmount `json:"value,omitempty" jsonschema:"comparison with the output, which must be one number, such as \">= 10\""`
	Latency       *comparedTime   `json:"latency,omitempty" jsonschema:"comparison with the time that the command took, such as \"<= 2s\""`
}

const execDoc = "Runs a command without a shell, with the environment of this process and `env`. At most 64 KiB of its output " +
	"are kept; what it writes beyond that is read and dropped.\n\n" +
	"Unmet are another exit code, an end by a signal, another output, and not being done in time, which kills the command " +
	"with its whole process group. Unknown are a command that cannot be started (not found, not executable, no such " +
	"`dir`), output that is not a number where `value` expects one, a secret that cannot be read, and an expectation on " +
	"output that is longer than what was kept. Numbers are decimal and compared exactly as they are printed: no NaN, Inf, 0x10 or 1_000. In `value` a percentage is a part of one (5% is 0.05) and a duration is in " +
	"seconds. Children that still hold the output open half a second after the command has ended are killed."

const execExample = `probe: exec
with: {argv: [redis-cli, llen, jobs], env: {REDISCLI_AUTH: {env: REDIS_PASSWORD}}}
expect: {exit: 0, value: "< 1000", latency: "<= 1s"}
`

func execKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "exec",
			Summary: "a command ends as expected",
			Doc:     execDoc,
			Params:  execParams{},
			Example: execExample,
		},
		Expect: execExpect{},
		New:    func(spec mishap.ProbeSpec) (mishap.Probe, error) { return newExec(d, spec) },
		Uses: func(spec mishap.ProbeSpec) (mishap.Uses, error) {
			params, expect, bad := readExec(spec)
			u := mishap.UsesOf(params, expect)
			if len(params.Argv) > 0 {
				u.Commands = append(u.Commands, mishap.Command{Program: params.Argv[0], Dir: params.Dir, Env: slices.Sorted(maps.Keys(params.Env))})
			}
			return u, bad.err()
		},
	}
}

// execProbe is the exec probe with its expectations read.
type execProbe struct {
	params  execParams
	exit    []int
	stdout  textExpectation
	value   *Comparison
	latency *Comparison
}

func readExec(spec mishap.ProbeSpec) (params execParams, expect execExpect, bad misread) {
	expect.Exit = 0.0
	bad = decode(spec, &params, &expect)
	return params, expect, bad
}

func newExec(d Deps, spec mishap.ProbeSpec) (mishap.Probe, error) {
	params, expect, bad := readExec(spec)
	e := execProbe{params: params}
	if bad.with == nil {
		bad.with = spawn.Check(params.Argv, params.Env, "[redis-cli, ping]")
	}
	var errExit, errStdout, errValue, errLatency error
	e.exit, errExit = expectExit("expect.exit", expect.Exit)
	e.stdout, errStdout = expectText("expect.stdoutMatches", expect.Stdout, expect.StdoutMatches)
	e.value, errValue = expectComparison("expect.value", expect.Value, Plain, Percent, Time)
	e.latency, errLatency = expectLatency(expect.Latency)
	if err := errors.Join(bad.with, bad.expect, errExit, errStdout, errValue, errLatency); err != nil {
		return nil, err
	}
	return &probe{deps: d, timeout: spec.Timeout.Std(), late: "not done", measure: e.measure}, nil
}

// expectExit reads an exit code or a list of them.
func expectExit(path string, value any) ([]int, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fieldError(path, err)
	}
	var one int
	codes := []int{}
	if json.Unmarshal(raw, &one) == nil && value != nil {
		codes = []int{one}
	} else if json.Unmarshal(raw, &codes) != nil || len(codes) == 0 {
		codes = []int{-1}
	}
	if slices.Min(codes) < 0 || slices.Max(codes) > 255 {
		return nil, &mishap.FieldError{Path: path, Msg: string(raw) + " is not an exit code", Hint: "write a number from 0 to 255, or a list of them"}
	}
	return codes, nil
}

func (e execProbe) measure(ctx context.Context, s *secrets) (mishap.Observation, error) {
	var stdout, stderr limited
	command, err := e.command(ctx, s)
	if err != nil {
		return mishap.Observation{}, err
	}
	command.Stdout, command.Stderr = &stdout, &stderr
	killed := false
	command.Cancel = func() error {
		killed = true // Wait, which calls this, has returned before it is read
		return command.KillGroup()
	}
	begin := time.Now()
	if err := command.Start(); err != nil {
		return mishap.Observation{}, unmeasured("start command: %v", err)
	}
	err = command.Wait()
	took := time.Since(begin)
	exit := new(exec.ExitError)
	switch {
	case killed:
		return mishap.Observation{}, ctx.Err()
	case errors.Is(err, exec.ErrWaitDelay):
		_ = command.KillGroup() // what lingers; the command itself has ended and is judged
	case err != nil && !errors.As(err, &exit):
		return mishap.Observation{}, unmeasured("run command: %v", err)
	}
	return e.judge(s, command.ProcessState, &stdout, &stderr, took), nil
}

// command looks up the secrets and builds the command.
func (e execProbe) command(ctx context.Context, s *secrets) (*spawn.Cmd, error) {
	program, err := spawn.Find(e.params.Argv[0], e.params.Dir, os.Getenv("PATH"))
	if err != nil {
		return nil, unmeasured("start command: %v", err)
	}
	command := spawn.CommandContext(ctx, program)
	command.Args = e.params.Argv
	command.OwnGroup()
	command.WaitDelay = lingerLimit
	command.Dir = e.params.Dir
	command.Env = os.Environ()
	for _, name := range slices.Sorted(maps.Keys(e.params.Env)) {
		value, err := s.resolve("with.env."+name, e.params.Env[name])
		if err != nil {
			return nil, err
		}
		command.Env = append(command.Env, name+"="+value)
	}
	stdin, err := s.resolve("with.stdin", e.params.Stdin)
	if stdin != "" {
		command.Stdin = strings.NewReader(stdin)
	}
	return command, err
}

func (e execProbe) judge(s *secrets, state *os.ProcessState, stdout, stderr *limited, took time.Duration) mishap.Observation {
	var j judgement
	end, said := state.String(), ""
	if state.ExitCode() >= 0 {
		end = fmt.Sprintf("exit %d", state.ExitCode())
	}
	if text := strings.TrimSpace(stderr.kept.String()); text != "" {
		said = ", it said " + s.quote(text)
	}
	if !slices.Contains(e.exit, state.ExitCode()) {
		j.unmet("%s, expected %s%s", end, strings.Join(strings.Fields(strings.Trim(fmt.Sprint(e.exit), "[]")), " or "), said)
	}
	j.text(e.stdout, s, "output", stdout.kept.Bytes(), stdout.cut)
	j.latency(e.latency, took)
	value := fmt.Sprintf("%s in %s", end, span(took))
	if e.value == nil {
		return j.observation(value)
	}
	text := strings.TrimSpace(stdout.kept.String())
	number, err := mishap.ParseNumber(text)
	switch {
	case stdout.cut:
		j.unknown("output is not a number, it is longer than %d bytes", outputLimit)
		return j.observation(value)
	case err != nil:
		j.unknown("output is not a number: %s", s.quote(text))
		return j.observation(value)
	case !e.value.HoldsFor(number):
		j.unmet("output is %s, expected %s", text, e.value)
	}
	return j.observation(fmt.Sprintf("%s, %s", text, value))
}

// limited keeps the beginning of what is written and drops the rest, so that no
// command blocks or breaks on it.
type limited struct {
	kept bytes.Buffer // a field, because its ReadFrom would go around Write
	cut  bool         // something was dropped
}

// Write keeps what fits; it never fails.
func (l *limited) Write(p []byte) (int, error) {
	room := outputLimit - l.kept.Len()
	l.cut = l.cut || len(p) > room
	_, _ = l.kept.Write(p[:min(len(p), room)])
	return len(p), nil
}
