package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"mishap/internal/app"
	"mishap/internal/config"
)

func (c *cli) serveCommand() *cobra.Command {
	var folder, listen, format string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run experiments from git by themselves, when due and safe",
		Long: `Read experiments from folders or git repositories, follow what is committed,
and run each when its schedule says so and nothing stands against it. What lost
servers left is reverted first. SIGTERM and Ctrl-C revert every run and end.

SIGHUP looks at every source now, and reads the settings again. Tokens, oidc,
webhook, notify, notices, governor, keep, labels, publicURL, hosts and protected
are taken over, all at once, and the log says which. All others need a restart,
and the log says that they differ. If anything is wrong, nothing is taken over.
Runs under way go on by the limits that they began with.

Beside it all other commands work as ever: status, report, abort, halt, unlock.`,
		Example: "  mishap serve --experiments ./experiments\n  mishap serve --config /etc/mishap/mishap.yaml --log json",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := c.serverLog(format)
			if err != nil {
				return err
			}
			a, err := app.New(app.Options{Config: c.config, State: c.state, Ledger: c.ledger, Listen: listen, Log: log, Around: c.around, Injectors: c.extra})
			if err != nil {
				return err
			}
			defer a.Close()
			c.nameExposed(a)
			o := app.ServeOptions{Version: versionString()}
			if folder != "" {
				src, err := config.FolderSource(folder)
				if err != nil {
					return err
				}
				o.Sources = append(o.Sources, src)
			}
			done := c.servingSignals(&o, log)
			defer done()
			return a.Serve(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&folder, "experiments", "", "folder of experiments to serve, beside the sources of the settings")
	cmd.Flags().StringVar(&listen, "listen", "", "address of the API (default 127.0.0.1:7676; none: no API)")
	cmd.Flags().StringVar(&format, "log", "text", "text or json")
	return cmd
}

func (c *cli) serverLog(format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if c.verbose {
		o.Level = slog.LevelDebug
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(c.err, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.err, o)), nil
	}
	return nil, usageError{fmt.Errorf("--log %q is neither text nor json", format)}
}

// servingSignals turns the first signal that stops into a stop and the third into
// leaving what is in to the keepers; a hang-up is a reload.
func (c *cli) servingSignals(o *app.ServeOptions, log *slog.Logger) (done func()) {
	stop, reload, over := make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	o.Stop, o.Reload = stop, reload
	signals, quiet := c.signals("serve")
	next := func() (told, bool) {
		select {
		case s := <-signals:
			return s, true
		case <-over:
			return told{}, false
		}
	}
	go func() {
		n := 0
		for s, more := next(); more; s, more = next() {
			if s.reaction == reloads {
				select {
				case reload <- struct{}{}:
				default: // it is about to
				}
				continue
			}
			n++
			log.Warn("signal", "signal", signalName(s.signal), "count", n)
			switch n {
			case 1:
				close(stop)
			case 2:
				log.Warn("still reverting; one more signal leaves what is in force to the keepers")
			case 3:
				os.Exit(6) // the end of the pipes: every keeper reverts
			}
		}
	}()
	return func() { quiet(); close(over) }
}
