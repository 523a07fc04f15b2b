package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/plaintext"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/registry"
	"mishap/internal/report/words"
	"mishap/internal/terminal"
)

func (c *cli) proxyWatchCommand() *cobra.Command {
	var every time.Duration
	var count int
	var socket string
	cmd := &cobra.Command{
		Use:   "watch [PROXY]",
		Short: "Show live what faults in a running proxy deliver",
		Long: `Show the proxies, the faults in force, and what each delivers: asked for beside
delivered. On a terminal the picture is renewed until Ctrl-C; through a pipe one
follows the other; with -o json each is one line.`,
		Example: "  mishap proxy watch\n  mishap proxy watch payments --every 5s\n  mishap proxy watch --count 1 -o json",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if every < 100*time.Millisecond {
				return usageError{mishap.WithHint(fmt.Errorf("--every %s is too often", every), "100ms is the least")}
			}
			ctx, stop := c.untilStopped(cmd.Context(), "proxy watch")
			defer stop()
			name := strings.Join(args, "")
			return c.withProxy(socket, name, func(client *control.Client) error {
				return c.watchProxy(ctx, watch{client, name, every, count})
			})
		},
	}
	cmd.Flags().DurationVar(&every, "every", time.Second, "between two pictures")
	cmd.Flags().IntVar(&count, "count", 0, "how many pictures (default until Ctrl-C)")
	controlFlag(cmd, &socket)
	return cmd
}

// watch is what to show, and how often.
type watch struct {
	client *control.Client
	name   string // of one proxy; empty for all
	every  time.Duration
	count  int // 0 is without end
}

// picture is the state of a proxy process at a moment.
type picture struct {
	At      time.Time              `json:"at"`
	Proxies []registry.ProxyStatus `json:"proxies"`
	Faults  []registry.Status      `json:"faults"` // in force
}

func (c *cli) watchProxy(ctx context.Context, w watch) error {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	live := terminal.Of(c.environment.out).Drawn
	for n := 1; ; n++ {
		p, err := w.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := c.showPicture(p, live, n > 1); err != nil {
			return err
		}
		if n == w.count {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look asks for what is to be seen now.
func (w watch) look(ctx context.Context) (picture, error) {
	proxies, err := w.client.Proxies(ctx)
	if err != nil {
		return picture{}, err
	}
	faults, err := w.client.List(ctx)
	p := picture{At: time.Now(), Faults: []registry.Status{}}
	for _, s := range proxies {
		if w.name == "" || s.Name == w.name {
			p.Proxies = append(p.Proxies, s)
		}
	}
	for _, s := range faults {
		if s.State == registry.InForce && (w.name == "" || s.Fault.Proxy == w.name) {
			p.Faults = append(p.Faults, s)
		}
	}
	if err == nil && p.Proxies == nil && w.name != "" {
		err = errors.New("the proxy that runs has no listener named " + w.name + "; it was started with other settings")
	}
	return p, err
}

func (c *cli) showPicture(p picture, live, again bool) error {
	if c.json() {
		return json.NewEncoder(c.out).Encode(p)
	}
	var b strings.Builder
	if again && !live {
		b.WriteString("\n")
	}
	p.write(&b, columnsOf(c.out))
	if !live {
		_, err := io.WriteString(c.out, b.String())
		return err
	}
	const corner = "\x1b[H\x1b[J" // the top left one, and nothing below it
	_, err := io.WriteString(result{c.environment.out, c.err}, corner+plaintext.Of(b.String()))
	return err
}

// troubleShown is how long after it went wrong something is shown.
const troubleShown = time.Minute

// write prints the picture within so many columns.
func (p picture) write(to *strings.Builder, columns int) {
	b := &strings.Builder{}
	defer func() { to.WriteString(words.Fold(b.String(), columns)) }()
	fmt.Fprintf(b, "%s\n", p.At.Format(time.TimeOnly))
	for _, s := range p.Proxies {
		fmt.Fprintf(b, "%s  %s -> %s\n  %s, %d open, %d in all, %d not reached\n", clip(s.Name, 20), clip(s.Listen, 24), clip(s.Upstream, 28),
			s.Protocol, s.Open, s.Total, s.Refused)
		if s.Run != "" {
			fmt.Fprintf(b, "  belongs to run %s\n", clip(s.Run, 60))
		}
		if s.Left > 0 {
			fmt.Fprintf(b, "  %d more are left in the process before a restart; faults reach them too\n", s.Left)
		}
		if t := s.Trouble; t != nil && p.At.Sub(t.At) < troubleShown {
			fmt.Fprintf(b, "  %s %s\n", t.At.Local().Format(time.TimeOnly), t.What)
		}
		empty := true
		for _, f := range p.Faults {
			if f.Fault.Proxy != s.Name {
				continue
			}
			if empty {
				writeRow(b, columns, "FAULT", "ON", "HIT", "LEFT", "ASKED", "P50", "P99")
			}
			empty = false
			writeFault(b, f, p.At, columns)
		}
		if empty {
			fmt.Fprintf(b, "  no fault\n")
		}
	}
}

// writeRow prints a row about a fault; where there is no room for its id, that has a
// line of its own.
func writeRow(b *strings.Builder, columns int, id string, cells ...any) {
	row := fmt.Sprintf("%-9s %7v %7s %8s %8s %8s", cells...)
	if columns < 77 {
		fmt.Fprintf(b, "  %s\n  %s\n", id, row)
		return
	}
	fmt.Fprintf(b, "  %-21s %s\n", id, row)
}

// writeFault prints one fault: how it does, and below it what it is.
func writeFault(b *strings.Builder, f registry.Status, now time.Time, columns int) {
	on := f.Stats.InForceOn
	asked, p50, p99 := "-", "-", "-"
	if f.Stats.Delivered.Count > 0 {
		asked, p50, p99 = brief(f.Stats.Requested.Mean), brief(f.Stats.Delivered.P50), brief(f.Stats.Delivered.P99)
	}
	left := "-" // it stays until it is removed
	if !f.Until.IsZero() {
		left = f.Until.Sub(now).Round(time.Second).String()
	}
	writeRow(b, columns, clip(f.Fault.ID, 21), fmt.Sprintf("%d of %d", on.Connections, on.Of), f.Stats.Connections+f.Stats.Requests, left, asked, p50, p99)
	with, _ := json.Marshal(f.Fault.Effect)
	about := []string{strings.TrimSpace(f.Fault.Effect.Kind() + " " + strings.NewReplacer(`"`, "", "{", "", "}", "").Replace(string(with)))}
	if f.Fault.Direction != "" {
		about = append(about, string(f.Fault.Direction))
	}
	if f.Fault.Share < 1 {
		about = append(about, mishap.Share(f.Fault.Share).String()+" of connections")
	}
	if f.Fault.Run != "" {
		about = append(about, "run "+f.Fault.Run)
	}
	fmt.Fprintf(b, "    %s\n", clip(strings.Join(about, ", "), columns-4))
	if did := f.Stats.Did(); did != "" {
		fmt.Fprintf(b, "    %s\n", clip(did, columns-4))
	}
}

// brief is a duration in three digits or so.
func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	default:
		return d.Round(time.Microsecond).String()
	}
}

// clip shortens a text to so many runes, all of which can be seen: clients of Toxiproxy's API may name a proxy anything.
func clip(s string, most int) string {
	s = visible(s)
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// visible takes out what would draw on a terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
