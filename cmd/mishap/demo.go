package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/demo"
	"mishap/internal/report"
	"mishap/internal/report/html"
	"mishap/internal/report/words"
	"mishap/internal/spawn"
)

func (c *cli) demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See three verdicts on a small shop, in less than a minute",
		Long: `Start a small shop of real processes: payments, three storefronts, mishap
proxies around them, and a steady load. Make payments 300 ms late for a quarter
of the users, beside a quarter who are left alone: the storefront with a
fallback is cleared (held), the one without is stopped (deviated). Then let
payments fail for the storefront that tries again and again (deviated). It exits
0 when all verdicts are as expected, and leaves files, reports and journals
behind.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, done := c.untilStopped(cmd.Context(), "demo")
			defer done()
			err := c.demo(ctx, dir)
			if ctx.Err() == nil {
				return err
			}
			c.outcome = mishap.Worst(c.outcome, mishap.OutcomeInterrupted)
			c.tell("mishap: interrupted; the shop is closed\n")
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "mishap-demo", "folder for the demo's files")
	return cmd
}

// act is one experiment of the demo, the outcome that it must have, and what its
// run came to.
type act struct {
	name    string
	outcome mishap.Outcome
	says    string
	run     *mishap.Run
}

func (c *cli) demo(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	shop, err := demo.NewShop(dir)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	c.tell("A shop opens: payments, three storefronts, proxies around them, a steady load.\n")
	closeShop, err := c.openShop(ctx, program, shop)
	defer closeShop()
	if err != nil {
		return err
	}
	acts := []*act{
		{name: "fallback", outcome: mishap.OutcomeHeld, says: "payments is 300 ms late; the storefront has a fallback"},
		{name: "no-fallback", outcome: mishap.OutcomeDeviated, says: "the same, without the fallback"},
		{name: "retries", outcome: mishap.OutcomeDeviated, says: "payments fails, and the storefront asks again and again"},
	}
	var problems []error
	for i, a := range acts {
		c.tell("\n%d of %d: %s\n", i+1, len(acts), a.says)
		problems = append(problems, c.play(ctx, program, shop, a))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return curtain(c, shop, acts)
}

// curtain says what was seen, and what to do next.
func curtain(c *cli, shop demo.Shop, acts []*act) error {
	const row, before = "%-11s  %-12s  %s\n", 11 + 2 + 12 + 2
	columns := columnsOf(c.out)
	table := fmt.Sprintf(row, "experiment", "verdict", "what happened")
	for _, a := range acts {
		verdict, _ := mishap.Judge(a.run)
		table += fmt.Sprintf(row, a.name, verdict, a.says)
	}
	_, err := io.WriteString(c.out, "\n"+aligned(table, before, columns)+"\n"+
		reflowed("As it should be. Everything is reverted, and the shop is closed. It is all in\n"+fromHere(shop.Dir)+": experiments, settings, reports, journals.", columns)+"\n"+
		words.Fold("next: open "+fromHere(shop.Page("no-fallback"))+" in a browser\n", columns)+
		typed("  "+ownReport()+" --config "+fromHere(shop.Settings())+"   # all of the last run\n  mishap init http://localhost:8080   # an experiment on your own service", columns))
	return err
}

// ownReport is what shows the last run of the demo's ledger, whatever the environment
// says of another.
func ownReport() string {
	command := "mishap report last"
	for _, v := range config.Variables(os.Environ()) {
		name, _, _ := strings.Cut(v, "=")
		command = "env -u " + name + " " + command
	}
	return strings.ReplaceAll(command, " env -u ", " -u ")
}

// openShop starts the shop's processes and waits until they sell. Each ends when
// its standard input does, and so when this process is gone, however it goes.
func (c *cli) openShop(ctx context.Context, program string, shop demo.Shop) (func(), error) {
	var started []*spawn.Cmd
	var inputs []io.Closer
	closeAll := func() {
		for _, in := range inputs {
			_ = in.Close()
		}
		for _, p := range started {
			_ = p.Wait()
		}
	}
	for _, part := range []struct {
		answers string // what must before the next part starts, so that nobody calls in vain
		args    []string
	}{
		{shop.Payments + "/pay", []string{"demo-service", "payments", "--listen", shop.Payments}},
		{"", []string{"proxy", "--config", shop.Settings(), "--until-eof"}},
		{shop.Careful + "/checkout", []string{"demo-service", "storefront", "--listen", shop.Careful, "--payments", "http://" + shop.PaymentsProxy, "--fallback"}},
		{shop.Careless + "/checkout", []string{"demo-service", "storefront", "--listen", shop.Careless, "--payments", "http://" + shop.PaymentsProxy}},
		{shop.Stubborn + "/checkout", []string{"demo-service", "storefront", "--listen", shop.Stubborn, "--payments", "http://" + shop.StubbornProxy, "--attempts", "8", "--gap", "50ms"}},
		{shop.CarefulEdge + "/checkout", []string{"demo-service", "load", "--rate", "200", "http://" + shop.CarefulEdge, "http://" + shop.CarelessEdge}},
		{shop.CarelessEdge + "/checkout", []string{"demo-service", "load", "--rate", "40", "http://" + shop.Stubborn}},
	} {
		p := demoVerb(context.WithoutCancel(ctx), program, part.args...)
		p.OwnGroup() // Ctrl-C must not close the shop before its run has reverted
		p.Stderr = c.environment.err
		in, err := p.StdinPipe()
		if err != nil {
			return closeAll, fmt.Errorf("start %s: %w", part.args[0], err)
		}
		inputs = append(inputs, in)
		if err := p.Start(); err != nil {
			return closeAll, fmt.Errorf("start %s: %w", part.args[0], err)
		}
		started = append(started, p)
		if part.answers != "" {
			if err := awaitSale(ctx, "http://"+part.answers); err != nil {
				return closeAll, err
			}
		}
	}
	return closeAll, nil
}

// demoVerb is a verb of this program as the demo calls it: by the settings of the demo
// alone. Those of the environment are about other systems, and about ledgers that the
// demo has no business in.
func demoVerb(ctx context.Context, program string, args ...string) *spawn.Cmd {
	p := spawn.CommandContext(ctx, program, args...)
	other := config.Variables(os.Environ())
	p.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return slices.Contains(other, v) })
	return p
}

// awaitSale waits until a part of the shop answers as it should.
func awaitSale(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the shop to open: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// play runs one experiment as a person would, keeps its reports, and says what came
// out.
func (c *cli) play(ctx context.Context, program string, shop demo.Shop, a *act) error {
	got, err := c.runAct(ctx, program, shop, a)
	if err != nil {
		return err
	}
	if got == mishap.OutcomeStillIn.ExitCode() {
		c.outcome = mishap.Worst(c.outcome, mishap.OutcomeStillIn)
	}
	entries, err := keepJournal(ctx, c, program, shop, a.name)
	if err == nil {
		a.run, err = mishap.Replay(entries)
	}
	if err != nil {
		return fmt.Errorf("read journal of %s: %w", a.name, err)
	}
	_ = c.shown(a.run.ID, report.Gist(c.out, a.run))
	if got != a.outcome.ExitCode() {
		return fmt.Errorf("experiment %s gave exit code %d, expected %d; its report is in %s", a.name, got, a.outcome.ExitCode(), shop.Report(a.name))
	}
	if err := keep(shop.Page(a.name), func(to io.Writer) error { return html.Run(to, entries, versionString()) }); err != nil {
		return err
	}
	if a.outcome != mishap.OutcomeDeviated {
		return nil
	}
	// What deviated is locked; here somebody wants to see it again.
	p := demoVerb(ctx, program, "unlock", a.name, "--reason", "the demo has shown it", "--config", shop.Settings())
	p.Stderr = c.environment.err
	if err := p.Run(); err != nil {
		return fmt.Errorf("unlock %s: %w", a.name, err)
	}
	return nil
}

// runAct runs an experiment, keeps its whole report, and gives the exit code.
func (c *cli) runAct(ctx context.Context, program string, shop demo.Shop, a *act) (code int, err error) {
	err = keep(shop.Report(a.name), func(to io.Writer) error {
		p := demoVerb(ctx, program, "run", "--brisk", "--full", "--config", shop.Settings(), shop.Experiment(a.name))
		p.OwnGroup() // so that it is interrupted once, by what follows
		p.Cancel = func() error { return p.Process.Signal(os.Interrupt) }
		p.Stdout, p.Stderr = to, c.environment.err
		c.err.drain()
		err := p.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return fmt.Errorf("run %s: %w", a.name, err)
		}
		code = p.ProcessState.ExitCode()
		return nil
	})
	return code, err
}

// keepJournal keeps the journal of the last run, and reads it.
func keepJournal(ctx context.Context, c *cli, program string, shop demo.Shop, name string) ([]mishap.Entry, error) {
	var text bytes.Buffer
	err := keep(shop.Journal(name), func(to io.Writer) error {
		p := demoVerb(ctx, program, "report", "last", "-o", "journal", "--config", shop.Settings())
		p.Stdout = io.MultiWriter(to, &text)
		return p.Run()
	})
	if err != nil {
		return nil, err
	}
	return report.ReadJournal(&text)
}

// keep writes a file among the reports.
func keep(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("keep report: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("keep report: %w", err)
	}
	return errors.Join(write(f), f.Close())
}

// serviceCommand is a part of the demo's shop. It is not for people.
func (c *cli) serviceCommand() *cobra.Command {
	var listen string
	var rate int
	store := demo.Storefront{Patience: 150 * time.Millisecond}
	cmd := &cobra.Command{
		Use:    "demo-service payments|storefront|load",
		Short:  "Run a part of the demo's shop",
		Hidden: true,
		Args:   atLeast(1, "payments, storefront or load"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := untilEOF(cmd.Context(), c.in)
			defer cancel()
			switch args[0] {
			case "payments":
				return demo.Serve(ctx, listen, demo.Payments())
			case "storefront":
				return demo.Serve(ctx, listen, store.Handler())
			case "load":
				demo.Load(ctx, rate, args[1:]...)
				return nil
			}
			return usageError{fmt.Errorf("the shop has no %q", args[0])}
		},
	}
	cmd.Flags().IntVar(&rate, "rate", 20, "checkouts a second at each storefront")
	cmd.Flags().IntVar(&store.Attempts, "attempts", 1, "calls to payments for one checkout at most")
	cmd.Flags().DurationVar(&store.Gap, "gap", 0, "between two of them")
	cmd.Flags().StringVar(&listen, "listen", "", "host:port")
	cmd.Flags().StringVar(&store.Payments, "payments", "", "URL of payments")
	cmd.Flags().BoolVar(&store.Fallback, "fallback", false, "sell on credit when payments is late")
	return cmd
}

// untilEOF ends a context when the input does.
func untilEOF(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx, cancel
}
