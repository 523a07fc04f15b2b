package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"mishap/internal/app"
	"mishap/internal/config"
)

func (c *cli) serveCommand() *cobra.Command {
	var folder, listen, format string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run experiments from git by themselves, when they are due and it is safe",
		Long: `Read experiments from folders or git repositories, follow what is committed,
and run each when its schedule says so and nothing stands against it. What lost
servers left is reverted first. SIGTERM and Ctrl-C revert every run and end.

Beside it all other commands work as ever: status, report, abort, halt, unlock.
` + exitCodes,
		Example: "  mishap serve --experiments ./experiments\n  mishap serve --config /etc/mishap/mishap.yaml --log json",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := c.serverLog(format)
			if err != nil {
				return err
			}
			a, err := app.New(app.Options{Config: c.config, State: c.state, Ledger: c.ledger, Log: log, Around: c.around, Extra: c.extra})
			if err != nil {
				return err
			}
			defer a.Close()
			o := app.ServeOptions{Version: versionString(), Listen: listen}
			if folder != "" {
				src, err := config.FolderSource(folder)
				if err != nil {
					return err
				}
				o.Sources = append(o.Sources, src)
			}
			ctx, stop, done := c.servingSignals(cmd.Context(), log)
			defer done()
			o.Stop = stop
			return a.Serve(ctx, o)
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

// servingSignals turns the first signal into a stop and the third into leaving
// what is in to the keepers.
func (c *cli) servingSignals(ctx context.Context, log *slog.Logger) (context.Context, <-chan struct{}, func()) {
	stop := make(chan struct{})
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			select {
			case s := <-signals:
				log.Warn("signal", "signal", signalName(s), "count", n)
			case <-over:
				return
			}
			switch n {
			case 1:
				close(stop)
			case 2:
				log.Warn("still reverting; one more signal leaves what is in to the keepers")
			case 3:
				os.Exit(6) // the end of the pipes: every keeper reverts
			}
		}
	}()
	return ctx, stop, func() { signal.Stop(signals); close(over) }
}
