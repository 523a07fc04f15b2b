package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mishap/internal/app"
	"mishap/internal/proxy"
	"mishap/internal/proxy/registry"
)

func (c *cli) proxyCommand() *cobra.Command {
	var eof bool
	var drain, grace time.Duration
	var toxi toxiproxyFlags
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Run the proxies of the settings",
		Long: `Run every proxy of the settings until Ctrl-C. Traffic passes untouched until a
fault is injected; a fault ends by itself unless it is renewed, and a proxy that
is started again has none. Experiments inject faults, and so do people by hand:
see add, remove and watch.

SIGTERM ends it gently: no connection is taken any more, faults end, and what is
under way may end for --grace. Ctrl-C, or a second SIGTERM, ends it at once.

SIGUSR2 restarts it, with the program and the settings as they are then: the
next process takes the ports over, and no connection breaks. No fault survives.
SIGHUP ends nothing: it reads the settings and says what SIGUSR2 would take
over, or what is wrong with them. Certificates follow their files by themselves.

With --toxiproxy it also answers the HTTP API of Toxiproxy 2.12, for its
clients; proxies are then created by them, or listed in Toxiproxy's config
file, and the settings need have none.`,
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
			o := proxy.Options{Log: c.warnings(), Drain: drain, Grace: grace}
			ctx, stop := c.proxySignals(cmd.Context(), a, &o)
			defer stop()
			if eof {
				ctx, stop = untilEOF(ctx, c.in)
				defer stop()
			}
			if err := inherit(&o); err != nil {
				return err
			}
			said := &console{to: c.environment.out} // whoever reads it must not hold up the ports
			defer said.drain()
			return a.ServeProxies(ctx, o, options, func(listeners []registry.ProxyStatus, api net.Addr) { proxyReady(c, said, listeners, api) })
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

// proxyReady says where a proxy listens.
func proxyReady(c *cli, said io.Writer, listeners []registry.ProxyStatus, api net.Addr) {
	for _, l := range listeners {
		fmt.Fprintf(said, "%s: %s -> %s\n", visible(l.Name), visible(l.Listen), visible(l.Upstream))
	}
	if api != nil {
		fmt.Fprintf(said, "Toxiproxy's API: %s\n", api)
	}
	if err := notifySystemd("READY=1"); err != nil {
		c.tell("mishap: %v\n", err)
	}
}

// proxyDiffers says what of the settings is other than a proxy goes by, which it cannot
// take over without ending what is in force, or what is wrong with them.
func proxyDiffers(a *app.App) (lines []string) {
	next, err := a.Settings.Reread()
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			lines = append(lines, "SIGUSR2 would fail, the settings are wrong: "+strings.TrimSpace(line))
		}
		return lines
	}
	_, differ := a.Settings.Differences(&next)
	for _, d := range differ {
		if d.Key == "proxies" || d.Key == "state" {
			lines = append(lines, fmt.Sprintf("other settings wait: %s (%s); SIGUSR2 takes them over, and ends faults", d.Key, d.From))
		}
	}
	if lines == nil {
		lines = []string{"no setting of the proxies has changed"}
	}
	return lines
}

// proxySignals tells the proxy what its signals ask of it, and ends the context
// at one that ends it at once.
func (c *cli) proxySignals(ctx context.Context, a *app.App, o *proxy.Options) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	gently, succeed := make(chan struct{}), make(chan proxy.Successor, 1)
	o.Stop, o.Succeed = gently, succeed
	signals, quiet := c.signals("proxy")
	go func() {
		defer cancel()
		for draining := false; ; {
			var s told
			select {
			case <-ctx.Done():
				return
			case s = <-signals:
			}
			switch s.reaction {
			case reloads:
				for _, line := range proxyDiffers(a) {
					o.Log.Warn("SIGHUP: faults and connections go on, certificates follow their files; " + line)
				}
			case restarts:
				select {
				case succeed <- &child{io: c.environment}:
				default: // one is asked for already
				}
			case drains:
				if draining {
					return
				}
				draining = true
				close(gently)
			default:
				return
			}
		}
	}()
	return ctx, func() { quiet(); cancel() }
}
