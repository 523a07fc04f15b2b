package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/engine"
	"mishap/internal/terminal"
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
	environment            // as it is, for the processes that are started
	out          io.Writer // the result
	err          *console  // the progress
	toOut, toErr io.Writer // behind out and err: stdout and stderr, where nothing in them is a command to what builds
	hupIgnored   bool      // by whoever started this process

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

// run executes one command line and returns the exit code.
func run(ctx context.Context, env environment) int {
	c := &cli{environment: env, toOut: env.out, toErr: env.err, hupIgnored: begin(), asked: make(chan struct{}, 1)}
	flush := shield(c)
	c.err = &console{to: painted(c.toErr), folds: terminal.Of(env.err).Folds()}
	out := c.results()
	c.out = out
	log.SetOutput(c.err) // where libraries say something
	defer func() { c.err.drain(); flush() }()
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
verdict: held, deviated or inconclusive.`,
		Example: `  mishap init http://localhost:8080   # write an experiment on your own service
  mishap validate experiments/        # check files without touching anything
  mishap plan experiments/slow.yaml   # see what would be touched
  mishap run experiments/slow.yaml    # do it`,
		Args: knownVerb,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(c.knownOutput(cmd.Name()), c.knowsServer(cmd.Name()))
		},
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       versionString(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{wrongFlag(cmd, err)} })
	flags := root.PersistentFlags()
	flags.StringVar(&c.config, "config", "", "settings file (default ./mishap.yaml)")
	flags.StringVar(&c.state, "state", "", "state directory with the ledger")
	flags.StringVar(&c.ledger, "ledger", "", "PostgreSQL database of the ledger, postgres://… (default a file in --state)")
	flags.StringVar(&c.server, "server", "", "ask this server: https://host:port, or the path of its socket; token in MISHAP_TOKEN")
	flags.StringVarP(&c.output, "output", "o", "text", "text or json; plan: also a file to pin it to")
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "log what happens inside to stderr")
	for _, one := range []struct {
		group, title string
		verbs        []*cobra.Command
	}{
		{"experiment", "Experiments", []*cobra.Command{c.initCommand(), importCommand(c), c.validateCommand(), c.planCommand(), c.iamCommand(), c.listCommand(), c.catalogCommand()}},
		{"run", "Runs", []*cobra.Command{c.runCommand(), c.statusCommand(), c.reportCommand(), c.compareCommand(), c.demoCommand()}},
		{"stop", "Stop and revert", []*cobra.Command{c.abortCommand(), c.haltCommand(), c.resumeCommand(), c.revertCommand(), sweepCommand(c), c.unlockCommand()}},
		{"serve", "Serve", []*cobra.Command{c.serveCommand(), c.scheduleCommand(), c.approveCommand(), c.tokenCommand()}},
		{"traffic", "Traffic", []*cobra.Command{c.proxyCommand(), c.observeCommand()}},
		{"other", "Other", []*cobra.Command{c.configCommand(), versionCommand(c.out, c.json), c.serviceCommand(), c.keeperCommand(), manualCommand(versionString())}},
	} {
		root.AddGroup(&cobra.Group{ID: one.group, Title: one.title})
		for _, verb := range one.verbs {
			verb.GroupID = one.group
		}
		root.AddCommand(one.verbs...)
	}
	complete(root, c)
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	root.SetVersionTemplate(versionLine())
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		_, _ = io.WriteString(cmd.OutOrStdout(), helpOf(cmd, columnsOf(c.out)))
	})
	root.SetOut(help) // before completion, which keeps it
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	strict(root)
	return root
}

// strict makes cobra's own verbs refuse what they do not know: else they show help, and
// a script takes that for what it asked for.
func strict(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Args, cmd.RunE = knownVerb, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = exactly(0, "no arguments")
			}
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				about, rest, err := root.Find(args)
				if err != nil || !about.HasSubCommands() {
					return err
				}
				return knownVerb(about, rest)
			}
		}
	}
}

// formatsOf are what a verb writes.
func formatsOf(verb string) []string {
	formats := []string{"text", "json"}
	switch verb {
	case "report", "status":
		return append(formats, "markdown", "junit", "html", "journal")
	case "compare":
		return append(formats, "html")
	}
	return formats
}

// knownOutput refuses a format before anything is done for it.
func (c *cli) knownOutput(verb string) error {
	formats := formatsOf(verb)
	if verb == "plan" || slices.Contains(formats, c.output) { // a plan's may be a file too, and it says so itself
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
