package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/registry"
	"mishap/internal/report/words"
)

func (c *cli) proxyRemoveCommand() *cobra.Command {
	var all bool
	var socket string
	cmd := &cobra.Command{
		Use:   "remove [ID…]",
		Short: "Remove faults from a running proxy",
		Long: `Remove faults from a running proxy, and say what they did. A fault of a run can
be removed too: the run will find that its fault is not in force.`,
		Example: "  mishap proxy remove latency-p1zk3\n  mishap proxy remove --all",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return usageError{mishap.WithHint(errors.New("name faults, or say --all"), "mishap proxy watch --count 1 lists them")}
			}
			return c.withProxy(socket, "", func(client *control.Client) error {
				return c.removeFaults(cmd.Context(), client, ids)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all that are in force")
	controlFlag(cmd, &socket)
	return cmd
}

// removeFaults removes faults; without ids all that are in force.
func (c *cli) removeFaults(ctx context.Context, client *control.Client, ids []string) error {
	list, err := client.List(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, s := range list {
		known[s.Fault.ID] = true
	}
	if len(ids) == 0 {
		for _, s := range list {
			if s.State == registry.InForce {
				ids = append(ids, s.Fault.ID)
			}
		}
		if len(ids) == 0 {
			c.tell("no fault is in force, so nothing is removed\n")
		}
	}
	var problems []error
	for _, id := range ids {
		if !known[id] {
			problems = append(problems, mishap.WithHint(fmt.Errorf("there is no fault %q", id), "mishap proxy watch --count 1 lists them"))
			continue
		}
		status, err := client.Delete(ctx, id)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		problems = append(problems, c.showEnded(status))
	}
	return errors.Join(problems...)
}

// showEnded says what a fault did.
func (c *cli) showEnded(s registry.Status) error {
	if c.json() {
		return json.NewEncoder(c.out).Encode(s)
	}
	text := s.Fault.ID + " is removed: "
	felt, what := s.Stats.Connections, "connections"
	if s.Stats.Requests > 0 {
		felt, what = s.Stats.Requests, "requests"
	}
	switch did := s.Stats.Did(); {
	case felt == 0:
		text += "affected no traffic\n"
	case s.Stats.Delivered.Count == 0:
		text += fmt.Sprintf("affected %d %s; %s\n", felt, what, did)
	default:
		text += fmt.Sprintf("affected %d %s\n  asked for  %v\n  delivered  %v\n", felt, what, s.Stats.Requested, s.Stats.Delivered)
		if did != "" {
			text += "  " + did + "\n"
		}
	}
	if _, err := io.WriteString(c.out, words.Fold(text, foldsOf(c.out))); err != nil {
		return err
	}
	if s.Fault.Run != "" {
		c.tell("it belongs to run %s, which will not find it in force\n", s.Fault.Run)
	}
	return nil
}

// controlFlag lets a person name a control socket that is not in the settings.
func controlFlag(cmd *cobra.Command, socket *string) {
	cmd.Flags().StringVar(socket, "control", "", "control socket of the proxy (default that of the settings)")
}

// withProxy calls do with the control API of a running proxy: that of the socket, else that of the named proxy in the
// settings, else that of the first.
func (c *cli) withProxy(socket, name string, do func(*control.Client) error) error {
	if socket != "" {
		return do(control.NewClient(socket))
	}
	return c.withSettings(func(a *app.App) error {
		var names []string
		for _, p := range a.Settings.Proxies {
			if name == "" || p.Name == name {
				client, err := a.ProxyClient(p.Control)
				if err != nil {
					return err
				}
				return do(client)
			}
			names = append(names, p.Name)
		}
		if socket := filepath.Join(a.Settings.State, "proxy.sock"); names == nil && exists(socket) {
			return do(control.NewClient(socket)) // of a proxy that runs for clients of Toxiproxy's API alone
		}
		if names == nil {
			return usageError{mishap.WithHint(errors.New("the settings have no proxies"), "name its socket with --control, or settings with --config")}
		}
		return usageError{mishap.WithHint(fmt.Errorf("there is no proxy %q in the settings", name), mishap.Suggest(name, names))}
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// withSettings calls do with the program, which is closed then.
func (c *cli) withSettings(do func(*app.App) error) error {
	a, err := c.app()
	if err != nil {
		return err
	}
	defer a.Close()
	return do(a)
}
