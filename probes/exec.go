package probes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mishap"
)

type execWith struct {
	Argv  []string                 `json:"argv" jsonschema:"the command and its arguments; there is no shell unless you name one"`
	Env   map[string]mishap.Secret `json:"env,omitempty" jsonschema:"variables added to the environment; values may be secrets"`
	Dir   string                   `json:"dir,omitempty" jsonschema:"folder to run in"`
	Stdin mishap.Secret            `json:"stdin,omitzero" jsonschema:"what the command reads; may be a secret"`
}

type execExpect struct {
	Exit    exits      `json:"exit,omitempty" jsonschema:"expected exit code or a list of them, default 0"`
	Stdout  string     `json:"stdout,omitempty" jsonschema:"text that the output must contain"`
	Matches pattern    `json:"stdoutMatches,omitzero" jsonschema:"regular expression that the output must match"`
	Value   comparison `json:"value,omitzero" jsonschema:"comparison with the output read as one number"`
	Latency comparison `json:"latency,omitzero" jsonschema:"comparison with the time that the command took"`
}

// exits is a set of exit codes.
type exits []int

// UnmarshalJSON reads a code or a list of codes.
func (e *exits) UnmarshalJSON(data []byte) error {
	var list []int
	var one int
	if json.Unmarshal(data, &one) == nil {
		list = []int{one}
	} else if json.Unmarshal(data, &list) != nil || len(list) == 0 {
		return errors.New("must be an exit code, or a list of exit codes")
	}
	for _, code := range list {
		if code < 0 || code > 255 {
			return fmt.Errorf("%d is not an exit code; these are 0 to 255", code)
		}
	}
	*e = list
	return nil
}

func execKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "exec",
			Summary: "runs a command and checks its exit code and output",
			Doc: "Runs a command, without a shell. A wrong exit code or output is unmet, and so is a command that is not done in time: it and its children are killed. " +
				"A command that cannot be started is unknown.",
			Params:  execWith{},
			Example: "probe: exec\nwith: {argv: [redis-cli, ping]}\nexpect: {stdout: PONG}",
		},
		Expect: execExpect{},
		New: func(s mishap.ProbeSpec) (mishap.Probe, error) {
			p := &execProbe{deps: d, expect: execExpect{Exit: exits{0}}}
			err := decode(s, &p.with, &p.expect)
			if len(p.with.Argv) == 0 || p.with.Argv[0] == "" {
				err = errors.Join(err, &mishap.FieldError{Path: "with.argv", Msg: "a command is missing", Hint: "for example argv: [redis-cli, ping]"})
			}
			return p, errors.Join(err, p.expect.Latency.mustBeTime("expect.latency"))
		},
	}
}

type execProbe struct {
	deps   Deps
	with   execWith
	expect execExpect
}

// Observe runs the command once.
func (p *execProbe) Observe(ctx context.Context) mishap.Observation {
	s := &secrets{Deps: p.deps}
	return s.clean(p.observe(ctx, s))
}

func (p *execProbe) observe(ctx context.Context, s *secrets) mishap.Observation {
	command, out, err := p.command(ctx, s)
	if err != nil {
		return unknown("%v", err)
	}
	start := time.Now()
	err = command.Run()
	took := time.Since(start)
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return unknown("interrupted")
	case ctx.Err() != nil:
		return unmet("no answer", "not done within %s", short(took))
	case err != nil && !errors.As(err, &exit):
		return unknown("%v", err)
	}
	code := command.ProcessState.ExitCode()
	if code < 0 {
		return unmet("killed", "ended by %s%s", command.ProcessState, out.said())
	}
	var problem string
	if !slices.Contains(p.expect.Exit, code) {
		problem = fmt.Sprintf("exit %d, expected %s%s", code, strings.Trim(fmt.Sprint([]int(p.expect.Exit)), "[]"), out.said())
	}
	value, wrongValue := p.value(out.stdout.String())
	return judge(strings.TrimSpace(fmt.Sprintf("%s exit %d in %s", value, code, short(took))), problem,
		contains("output", out.stdout.String(), p.expect.Stdout, p.expect.Matches), wrongValue, p.expect.Latency.latency(took))
}

// value reads the output as a number, if one is expected.
func (p *execProbe) value(stdout string) (value, problem string) {
	if !p.expect.Value.set() {
		return "", ""
	}
	text := strings.TrimSpace(stdout)
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return "", fmt.Sprintf("output is not a number: %q", excerpt(stdout))
	case !p.expect.Value.holds(v):
		return text, fmt.Sprintf("output is %s, expected %s", text, p.expect.Value.text)
	}
	return text, ""
}

// output is what a command wrote, up to a limit.
type output struct{ stdout, stderr limited }

// said is the end of what the command complained about.
func (o *output) said() string {
	if text := excerpt(o.stderr.String()); text != "" {
		return ": " + text
	}
	return ""
}

// limited keeps the first 64 KiB and lets the rest pass.
type limited struct{ bytes.Buffer }

// Write keeps what fits; it never fails, so that no command breaks on it.
func (l *limited) Write(p []byte) (int, error) {
	const most = 64 << 10
	_, _ = l.Buffer.Write(p[:min(len(p), max(0, most-l.Len()))])
	return len(p), nil
}

func (p *execProbe) command(ctx context.Context, s *secrets) (*exec.Cmd, *output, error) {
	c := exec.CommandContext(ctx, p.with.Argv[0], p.with.Argv[1:]...)
	// A group of its own, so that the timeout reaches the children too.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	c.Dir = p.with.Dir
	c.Env = os.Environ()
	for name, value := range p.with.Env {
		text, err := s.resolve(value)
		if err != nil {
			return nil, nil, err
		}
		c.Env = append(c.Env, name+"="+text)
	}
	stdin, err := s.resolve(p.with.Stdin)
	if err != nil {
		return nil, nil, err
	}
	if stdin != "" {
		c.Stdin = io.Reader(strings.NewReader(stdin))
	}
	out := &output{}
	c.Stdout, c.Stderr = &out.stdout, &out.stderr
	return c, out, nil
}
