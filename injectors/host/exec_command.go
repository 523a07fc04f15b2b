package host

import (
	"bytes"
	"cmp"
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
	"mishap/internal/target"
)

// command is a list of arguments, or a shell's text when asked for by name.
type command struct {
	Argv  []string
	Shell string
}

// UnmarshalJSON reads [argv…], {argv: […]} or {shell: text}.
func (c *command) UnmarshalJSON(data []byte) error {
	*c = command{}
	var named map[string]json.RawMessage
	var err error
	switch list := json.Unmarshal(data, &named); {
	case list != nil:
		err = json.Unmarshal(data, &c.Argv)
	case len(named) == 1 && named["argv"] != nil:
		err = json.Unmarshal(named["argv"], &c.Argv)
	case len(named) == 1 && named["shell"] != nil:
		err = json.Unmarshal(named["shell"], &c.Shell)
	default:
		err = errors.New("unknown keys")
	}
	switch {
	case err != nil:
		return errors.New("must be a list like [tc, qdisc, show], or {shell: \"…\"} if you want a shell")
	case c.Shell == "" && (len(c.Argv) == 0 || c.Argv[0] == ""):
		return errors.New("the command is empty")
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (c command) MarshalJSON() ([]byte, error) {
	if c.Shell != "" {
		return json.Marshal(map[string]string{"shell": c.Shell})
	}
	return json.Marshal(c.Argv)
}

func (c command) given() bool { return c.Shell != "" || c.Argv != nil }

func (c command) args() []string {
	if c.Shell != "" {
		return []string{"/bin/sh", "-c", c.Shell}
	}
	return c.Argv
}

// program is the path of the file to run, looked for where the fault was
// prepared: the PATH of whoever reverts may be another.
func (c command) program(undo execUndo) (string, error) {
	if !c.given() {
		return "", errors.New("there is no command")
	}
	name := c.args()[0]
	found, err := spawn.Find(name, undo.Dir, undo.Path)
	if err != nil {
		return "", mishap.WithHint(target.None("there is no command %s that can be run", name), "install it, or correct its name or path")
	}
	return found, nil
}

// variables are the variables of an environment, with their secrets resolved.
type variables struct {
	list    []string // NAME=value
	secrets []string // longest first
}

func (f *execFault) variables(env map[string]mishap.Secret) (variables, error) {
	var v variables
	for _, name := range slices.Sorted(maps.Keys(env)) {
		text := env[name].Value
		if env[name].IsReference() {
			if f.deps.Secret == nil {
				return v, fmt.Errorf("set variable %s: nothing here looks secrets up", name)
			}
			var err error
			if text, err = f.deps.Secret(env[name]); err != nil {
				return v, fmt.Errorf("set variable %s: %w", name, err)
			}
			if text != "" {
				v.secrets = append(v.secrets, text)
			}
		}
		v.list = append(v.list, name+"="+text)
	}
	slices.SortFunc(v.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return v, nil
}

func (v variables) hide(text string) string {
	for _, s := range v.secrets {
		text = strings.ReplaceAll(text, s, "[secret]")
	}
	return text
}

// run runs one command with the undo on its standard input, and kills it with
// all of its children when its time is over.
func (f *execFault) run(ctx context.Context, in mishap.Injection, undo execUndo, with execWith, role string, c command) ([]byte, error) {
	program, err := c.program(undo)
	if err != nil {
		return nil, err
	}
	v, err := f.variables(with.Env)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, with.Timeout.Std())
	defer cancel()
	cmd := spawn.CommandContext(ctx, program)
	cmd.Args = c.args()
	cmd.OwnGroup()
	cmd.EndsWithUs() // a half-done inject must not go on beside the revert that our death brings about
	cmd.Cancel = cmd.KillGroup
	cmd.WaitDelay = time.Second
	cmd.Dir, cmd.Stdin = undo.Dir, bytes.NewReader(undo.Prepared)
	cmd.Env = append(append(os.Environ(), "PATH="+undo.Path), v.list...)
	cmd.Env = append(cmd.Env, "MISHAP_RUN="+in.Run, "MISHAP_FAULT="+in.Fault, "MISHAP_INJECTION="+in.ID)
	var stdout head
	var stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr

	start := time.Now()
	err = cmd.Run()
	what := fmt.Sprintf("run %s command %s", role, cmd.Args[0])
	switch said := v.hide(string(stderr)); {
	case errors.Is(err, exec.ErrWaitDelay) && role != "prepare":
		return nil, nil // it has succeeded, and left something running
	case err == nil && role == "prepare":
		return v.undoFrom(what, stdout)
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: not done after %s, and killed", what, mishap.Duration(time.Since(start).Round(time.Millisecond)))
	case strings.TrimSpace(said) != "":
		return nil, fmt.Errorf("%s: %w: %s", what, err, ending(said))
	}
	return nil, fmt.Errorf("%s: %w", what, err)
}

// undoFrom is what prepare printed, if it can be kept.
func (v variables) undoFrom(what string, out head) ([]byte, error) {
	switch {
	case out.over:
		return nil, fmt.Errorf("%s: it printed more than %d KiB", what, mostUndo>>10)
	case v.hide(string(out.kept)) != string(out.kept):
		return nil, mishap.WithHint(fmt.Errorf("%s: it printed a secret, which would be written down with the undo", what), "print a name for it, and look the value up in revert")
	}
	return out.kept, nil
}

// head keeps the first bytes and lets the rest pass.
type head struct {
	kept []byte
	over bool
}

// Write keeps what fits; it never fails, so that no command breaks on it.
func (h *head) Write(p []byte) (int, error) {
	fits := p[:min(len(p), mostUndo-len(h.kept))]
	h.kept = append(h.kept, fits...)
	h.over = h.over || len(fits) < len(p)
	return len(p), nil
}

// tail keeps the last bytes: an error is what a command says last.
type tail []byte

// Write keeps what comes last; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	const most = 64 << 10
	*t = append(*t, p...)
	if extra := len(*t) - most; extra > 0 {
		*t = append((*t)[:0], (*t)[extra:]...)
	}
	return len(p), nil
}

// excerptLength is how much of a text that may be long is shown, in bytes.
const excerptLength = 240

// beginning is how a text begins, on one line.
func beginning(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= excerptLength {
		return text
	}
	return strings.ToValidUTF8(text[:excerptLength], "") + "…"
}

// ending is how a text ends, on one line.
func ending(text string) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "?")
	if len(text) <= excerptLength {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-excerptLength:], "")
}
