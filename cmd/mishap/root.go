package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/engine"
)

// environment is what a command sees of the world.
type environment struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	around   engine.Around         // for tests
	extra    []mishap.InjectorKind // for tests
}

// cli is what all verbs share.
type cli struct {
	environment           // as it is, for the processes that are started
	out         io.Writer // the result
	err         *console  // the progress
	hupIgnored  bool      // by whoever started this process

	config      string
	state       string
	ledger      string
	server      string
	output      string
	verbose     bool
	plain       bool
	full, brief bool
	brisk       bool
	outcome     mishap.Outcome             // the worst so far; what a command returns is added by run
	interrupted atomic.Bool                // while a result was written
	asked       chan struct{}              // a run was asked to stop
	current     atomic.Pointer[mishap.Run] // a picture of what is in, for a second Ctrl-C
}

const exitCodes = `
Exit codes:
  0    held, or the command did what it was asked
  1    internal or ledger error
  2    usage, or an invalid file
  3    deviated
  4    inconclusive; the reason is in the output
  5    refused; this run touched nothing
  6    a fault is or may still be in; the output says which, and how to end it
  130  interrupted, after everything was reverted`

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// run executes one command line and returns the exit code.
func run(ctx context.Context, env environment) int {
	c := &cli{environment: env, err: &console{to: painted(env.err)}, hupIgnored: begin(), asked: make(chan struct{}, 1)}
	out := c.results()
	c.out = out
	log.SetOutput(c.err) // where libraries say something
	defer c.err.drain()
	help := &remembering{to: out}
	root := c.root(help)
	root.SetArgs(env.args)
	root.SetIn(env.in)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = help.err
	}
	if err := errors.Join(err, out.Close()); err != nil && !enough(err) {
		c.fail(err)
	}
	return c.outcome.ExitCode()
}

// fail prints an error with its hint and remembers its outcome.
func (c *cli) fail(err error) {
	c.tell("mishap: %v\n", err)
	var hinted *mishap.Hinted
	if errors.As(err, &hinted) && hinted.Hint != "" {
		c.tell("hint: %s\n", hinted.Hint)
	}
	note(c, "error", err)
	c.outcome = mishap.Worst(c.outcome, outcomeOf(err))
}

// outcomeOf classifies an error that ended a command.
func outcomeOf(err error) mishap.Outcome {
	var usage usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, mishap.ErrInvalid):
		return mishap.OutcomeUsage
	case errors.Is(err, mishap.ErrRefused):
		return mishap.OutcomeRefused
	case errors.Is(err, mishap.ErrStillIn):
		return mishap.OutcomeStillIn
	default:
		return mishap.OutcomeInternal
	}
}

func (c *cli) root(help io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "mishap",
		Short: "Run controlled chaos experiments",
		Long: `mishap tests a claim about a system: it checks the steady state, injects a
fault, stops at harm, reverts everything, waits for recovery, and gives a
verdict: held, deviated or inconclusive.` + "\n" + exitCodes,
		Example: `  mishap init http://localhost:8080     # write an experiment on your own service
  mishap validate experiments/          # check files without touching anything
  mishap plan experiments/slow.yaml     # see what would be touched
  mishap run experiments/slow.yaml      # do it`,
		Args: knownVerb,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(c.knownOutput(cmd.Name()), c.knowsServer(cmd.Name()))
		},
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usageError{mishap.WithHint(err, "see `mishap help`")}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&c.config, "config", "", "settings file (default ./mishap.yaml)")
	flags.StringVar(&c.state, "state", "", "state directory with the ledger")
	flags.StringVar(&c.ledger, "ledger", "", "PostgreSQL database of the ledger, postgres://… (default a file in --state)")
	flags.StringVar(&c.server, "server", "", "ask this server: https://host:port, or the path of its socket; token in MISHAP_TOKEN")
	flags.StringVarP(&c.output, "output", "o", "text", "text or json; plan: also a file to pin it to")
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "log what happens inside to stderr")
	root.AddCommand(
		c.initCommand(), importCommand(c), c.validateCommand(), c.planCommand(), c.iamCommand(), c.runCommand(), c.serveCommand(), c.scheduleCommand(), c.listCommand(), c.statusCommand(),
		c.reportCommand(), c.compareCommand(), c.abortCommand(), c.revertCommand(), sweepCommand(c), c.haltCommand(), c.resumeCommand(), c.unlockCommand(), c.approveCommand(), c.catalogCommand(),
		c.proxyCommand(), c.observeCommand(), c.configCommand(), c.tokenCommand(), c.demoCommand(), c.serviceCommand(), c.keeperCommand(), c.versionCommand(), manualCommand(versionString()),
	)
	root.SetOut(help) // before completion, which keeps it
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// knownOutput refuses a format before anything is done for it.
func (c *cli) knownOutput(verb string) error {
	formats := []string{"text", "json"}
	switch verb {
	case "plan":
		return nil // it may be a file too, and says so itself
	case "report", "status":
		formats = append(formats, "junit", "html", "journal")
	case "compare":
		formats = append(formats, "html")
	}
	if slices.Contains(formats, c.output) {
		return nil
	}
	return usageError{mishap.WithHint(fmt.Errorf("mishap %s has no output %q", verb, c.output), "known: "+strings.Join(formats, ", "))}
}

// knowsServer refuses --server where it would be ignored.
func (c *cli) knowsServer(verb string) error {
	asked := []string{"run", "status", "report", "compare", "abort", "halt", "resume", "unlock", "approve"}
	if c.server == "" || slices.Contains(asked, verb) {
		return nil
	}
	return usageError{mishap.WithHint(fmt.Errorf("mishap %s does not ask a server", verb), "--server is for "+strings.Join(asked, ", "))}
}

// knownVerb refuses a verb that does not exist, with the nearest one that does.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var verbs []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			verbs = append(verbs, c.Name())
		}
	}
	return usageError{mishap.WithHint(fmt.Errorf("there is no command %q", args[0]), mishap.Suggest(args[0], verbs))}
}

// exactly is cobra's ExactArgs with a sentence that says what is missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usageError{mishap.WithHint(fmt.Errorf("%s takes %s, not %d arguments", cmd.CommandPath(), what, len(args)),
			"see `"+cmd.CommandPath()+" --help`")}
	}
}

// atLeast is cobra's MinimumNArgs with a sentence.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return usageError{mishap.WithHint(fmt.Errorf("%s takes %s", cmd.CommandPath(), what), "see `"+cmd.CommandPath()+" --help`")}
	}
}

// json reports whether the result is to be JSON.
func (c *cli) json() bool { return c.output == "json" }

func (c *cli) log() *slog.Logger {
	if !c.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// warnings is the log of what runs for long and has no other place to say what goes wrong.
func (c *cli) warnings() *slog.Logger {
	if c.verbose {
		return c.log()
	}
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// version is set by the linker; without it, the build information says.
var version = ""

// versionString is what the linker or the module's build information says.
func versionString() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// atMost is cobra's MaximumNArgs with a sentence.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return usageError{mishap.WithHint(fmt.Errorf("%s takes at most %d argument, not %d", cmd.CommandPath(), n, len(args)), "see `"+cmd.CommandPath()+" --help`")}
	}
}
