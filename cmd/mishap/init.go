package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mishap/experiments"
	"mishap/internal/config"
)

func (c *cli) initCommand() *cobra.Command {
	var asked experiments.Asked
	cmd := &cobra.Command{
		Use:   "init [URL]",
		Short: "Write experiments on your own service",
		Long: `Write settings with a proxy, and two experiments whose verdicts can differ, for
a service that answers at an http or https URL, on this machine or elsewhere.
With --dependency they are about what the service does when a database or an API
behind it is slow, or gone; without, about what a caller of the service meets.

On a terminal it asks for what is not given. Called again it adds proxies to the
settings, and experiments; what is there stays as it is. In a git repository it
lets git ignore what the proxy keeps beside the settings.`,
		Example: "  mishap init http://localhost:8080/health\n  mishap init https://shop.example/cart --dependency db.internal:5432\n  mishap init http://localhost:8080/ --dependency sessions=localhost:6379",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked.URL = strings.Join(args, "")
			if err := askFirst(cmd, c, &asked, cmd.Flags().Changed("dependency"), cmd.Flags().Changed("load")); err != nil {
				return err
			}
			return writeFirst(cmd.Context(), c, asked)
		},
	}
	cmd.Flags().StringArrayVar(&asked.Dependencies, "dependency", nil, "`HOST:PORT` or NAME=HOST:PORT of what the service needs, to put behind a proxy; may be repeated")
	cmd.Flags().StringVar(&asked.Load, "load", "", "the `COMMAND` that makes load on the service, for who reads the files")
	return cmd
}

// askFirst asks on a terminal for what was not given.
func askFirst(cmd *cobra.Command, c *cli, asked *experiments.Asked, dependency, load bool) error {
	file, isFile := c.in.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		if asked.URL == "" {
			return exactly(1, "the URL of your service")(cmd, nil)
		}
		return nil
	}
	lines := bufio.NewReader(c.in)
	ask := func(question string, into *string) error {
		c.tell("%s ", question)
		c.err.drain()
		text, err := lines.ReadString('\n')
		*into = strings.TrimSpace(text)
		if err != nil && *into == "" {
			return usageError{fmt.Errorf("read the answer to %q: %w", question, err)}
		}
		return nil
	}
	if asked.URL == "" {
		if err := ask("URL of your service, such as http://localhost:8080/health:", &asked.URL); err != nil {
			return err
		}
	}
	if !dependency {
		var text string
		if err := ask("A database or API that it needs, HOST:PORT (none: Enter):", &text); err != nil {
			return err
		}
		asked.Dependencies = strings.Fields(text)
	}
	if !load {
		return ask("Command that makes load on it (none: Enter):", &asked.Load)
	}
	return nil
}

// writeFirst makes the files, and says what there is and what comes next.
func writeFirst(ctx context.Context, c *cli, asked experiments.Asked) error {
	path := cmp.Or(c.config, "mishap.yaml")
	known, err := knownProxies(path)
	if err != nil {
		return err
	}
	asked.Known, asked.Taken = known, portTaken
	first, err := experiments.Init(asked)
	if err != nil {
		return usageError{err}
	}
	meet(ctx, c, asked, first)
	if first.Added != nil {
		var add []config.Proxy
		for _, p := range first.Added {
			one := config.Proxy{Name: p.Name, Listen: p.Listen, Upstream: p.Upstream}
			if p.HTTPS {
				one.Protocol, one.UpstreamTLS = "http", &config.ClientTLS{}
			}
			add = append(add, one)
		}
		if err := config.AddProxies(path, add); err != nil {
			return usageError{err}
		}
		wrote := "wrote"
		if known != nil {
			wrote = "added to"
		}
		if err := c.result("%s %s: %s\n", wrote, path, proxyNames(first.Added)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(first.Files)) {
		if err := writeNew(c, name, first.Files[name]); err != nil {
			return err
		}
	}
	if wrote, err := ignoreState(path); err != nil {
		c.tell("mishap: %v\n", err) // the files are right without it
	} else if wrote != "" {
		if err := c.result("%s\n", wrote); err != nil {
			return err
		}
	}
	return sayNext(c, asked, first)
}

// portTaken reports whether somebody listens on a port of loopback.
func portTaken(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		err = l.Close()
	}
	return err != nil
}

// knownProxies are those of the settings; nil if there is no file.
func knownProxies(path string) ([]experiments.Proxy, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	settings, err := config.Load(config.Options{File: path})
	if err != nil {
		return nil, usageError{err}
	}
	all := []experiments.Proxy{}
	for _, p := range settings.Proxies {
		all = append(all, experiments.Proxy{Name: p.Name, Listen: p.Listen, Upstream: p.Upstream, HTTPS: p.UpstreamTLS != nil})
	}
	return all, nil
}

func proxyNames(all []experiments.Proxy) string {
	var names []string
	for _, p := range all {
		names = append(names, "proxy "+p.Name)
	}
	return strings.Join(names, ", ")
}

// writeNew writes a file that is not there yet.
func writeNew(c *cli, name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return c.result("kept %s, which is there\n", name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), f.Close())
	}
	return errors.Join(f.Close(), c.result("wrote %s\n", name))
}

// sayNext says the three commands that come next.
func sayNext(c *cli, asked experiments.Asked, first experiments.First) error {
	return errors.Join(
		c.print([]byte("\nnext:\n"+typed(`  mishap proxy &    # the traffic that faults are injected into passes it
  mishap plan `+first.Start+`    # what would be touched
  mishap run experiments/`, columnsOf(c.out))), nil),
		sayWhere(c, asked, first),
	)
}

// sayWhere says how the traffic gets to where the faults are.
func sayWhere(c *cli, asked experiments.Asked, first experiments.First) (said error) {
	if len(asked.Dependencies) > 0 {
		said = c.result("\nBefore the run, let the service connect\n")
		for _, p := range first.Behind {
			said = errors.Join(said, c.result("  to %s instead of %s\n", p.Listen, p.Upstream))
		}
	}
	if asked.Load != "" {
		said = errors.Join(said, c.result("\nand let this run meanwhile: %s\n", asked.Load))
	}
	return said
}

// meet asks what the experiments will ask, and says what they will find.
func meet(ctx context.Context, c *cli, asked experiments.Asked, first experiments.First) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.URL, nil)
	if err != nil {
		c.tell("mishap: %v\n", err)
		return
	}
	switch answer, err := client.Do(request); {
	case err != nil:
		c.tell("mishap: nothing answers there: %v\nhint: the files are as they should be, and a run is refused until something does\n", err)
	default:
		answer.Body.Close()
		if code := answer.StatusCode; code < 200 || code > 299 {
			c.tell("mishap: %s answers %s, and the experiments expect 2xx\nhint: give the URL of a page that answers so, or change expect in the files\n", asked.URL, answer.Status)
		}
	}
	for _, p := range first.Behind {
		if asked.Dependencies == nil {
			break // it is the service, which was asked
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Upstream)
		if err != nil {
			c.tell("mishap: %s does not take connections: %v\n", p.Name, err)
			continue
		}
		conn.Close()
	}
}
