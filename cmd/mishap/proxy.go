package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mishap/internal/proxy"
)

func (c *cli) proxyCommand() *cobra.Command {
	var eof bool
	var drain, grace time.Duration
	var toxi toxiproxyFlags
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Run the proxies of the settings",
		Long: `Run every proxy of the settings until Ctrl-C. Traffic passes untouched until a
fault is put in; a fault ends by itself unless it is renewed, and a proxy that
is started again has none. Experiments put faults in, and people do by hand:
see add, remove and watch.

SIGTERM ends it gently: no connection is taken any more, faults end, and what is
under way may end for --grace. Ctrl-C, or a second SIGTERM, ends it at once.

SIGUSR2 restarts it, with the program and the settings as they are then: the
next process takes the ports over, and no connection breaks. No fault survives.

With --toxiproxy it also answers the HTTP API of Toxiproxy 2.12, for its
clients; proxies are then created by them, or listed in Toxiproxy's config
file, and the settings need have none.` + "\n" + exitCodes,
		Example: "  mishap proxy\n  mishap proxy add payments latency delay=300ms --for 5m\n  mishap proxy watch\n  mishap proxy --config mishap.yaml\n  mishap proxy --toxiproxy 127.0.0.1:8474 --toxiproxy-config toxiproxy.json",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := toxi.options()
			if err != nil {
				return err
			}
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGHUP)
			defer stop()
			ctx, gently, stop := terminated(ctx)
			defer stop()
			if eof {
				ctx, stop = untilEOF(ctx, c.in)
				defer stop()
			}
			o := proxy.Options{Log: c.warnings(), Succeed: c.restarts(ctx), Drain: drain, Stop: gently, Grace: grace}
			if err = inherit(&o); err != nil {
				return err
			}
			return a.ServeProxies(ctx, o, options, func(listeners []proxy.ProxyStatus, api net.Addr) {
				for _, l := range listeners {
					fmt.Fprintf(c.out, "%s: %s -> %s\n", visible(l.Name), visible(l.Listen), visible(l.Upstream))
				}
				if api != nil {
					fmt.Fprintf(c.out, "Toxiproxy's API: %s\n", api)
				}
				if err := notifySystemd("READY=1"); err != nil {
					fmt.Fprintf(c.err, "mishap: %v\n", err)
				}
			})
		},
	}
	cmd.Flags().DurationVar(&drain, "drain", time.Hour, "how long connections may go on after a restart")
	cmd.Flags().DurationVar(&grace, "grace", 5*time.Second, "how long requests and connections may go on after SIGTERM")
	cmd.Flags().BoolVar(&eof, "until-eof", false, "end when the standard input does")
	_ = cmd.Flags().MarkHidden("until-eof")
	toxi.add(cmd)
	cmd.AddCommand(c.proxyAddCommand(), c.proxyRemoveCommand(), c.proxyWatchCommand())
	return cmd
}

// terminated closes gently at the first SIGTERM, and ends the context at the second.
func terminated(ctx context.Context) (_ context.Context, gently <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	asked, once := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(asked, syscall.SIGTERM)
	go func() {
		defer cancel()
		for n := range 2 {
			select {
			case <-ctx.Done():
				return
			case <-asked:
			}
			if n == 0 {
				close(once)
			}
		}
	}()
	return ctx, once, func() { signal.Stop(asked); cancel() }
}
