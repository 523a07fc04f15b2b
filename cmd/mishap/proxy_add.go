package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	proxyfault "mishap/injectors/proxy"
	"mishap/internal/outside"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
)

// settled is how long add waits until a fault is in force on every open connection.
const settled = 2 * time.Second

func (c *cli) proxyAddCommand() *cobra.Command {
	var f fault.Fault
	var direction, share, socket string
	cmd := &cobra.Command{
		Use:   "add PROXY KIND [KEY=VALUE…]",
		Short: "Inject a fault into a running proxy, for a while",
		Long: `Inject a fault into a running proxy. It ends by itself after --for, which is at
most ` + fault.MaxExpires.String() + `, and when the proxy ends.

Kinds and what they take:
  latency        delay jitter distribution correlation per, or trace=@FILE with
                 one delay on each line
  bandwidth      rate (bytes per second)
  timeout        after data (hold or drop): a black hole
  reset          after
  slicer         size vary delay
  limit          bytes how (close or reset)
  slow-close     delay
  connect-delay  delay jitter distribution, or trace
  refuse         how (reset or close)
  loss           rate; for proxies with protocol: udp`,
		Example: `  mishap proxy add payments latency delay=300ms jitter=50ms --for 5m
  mishap proxy add payments bandwidth rate=64KB --for 10m --share 25%
  mishap proxy add database reset after=10s --for 1m`,
		Args: atLeast(2, "the name of a proxy, and a kind of fault"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Proxy, f.Direction = args[0], fault.Direction(direction)
			if err := fillFault(&f, args[1], args[2:], share); err != nil {
				return err
			}
			return c.withProxy(socket, f.Proxy, func(client *control.Client) error { return c.addFault(cmd.Context(), client, f) })
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&f.Expires, "for", 0, "how long, at most (mandatory)")
	flags.StringVar(&direction, "direction", "", "of the bytes: upstream, downstream (default) or both")
	flags.StringVar(&share, "share", "100%", "part of the connections")
	flags.Uint64Var(&f.Seed, "seed", 0, "the same seed hits the same connections, and draws the same delays")
	flags.StringVar(&f.ID, "id", "", "name of the fault (default one of its own)")
	controlFlag(cmd, &socket)
	return cmd
}

// fillFault reads what was given on the command line, and names every problem of it.
func fillFault(f *fault.Fault, kind string, pairs []string, share string) error {
	var part mishap.Share
	if f.Expires == 0 {
		return usageError{mishap.WithHint(errors.New("--for is missing: how long the fault may last"), "for example --for 5m")}
	}
	if f.ID == "" {
		f.ID = kind + "-" + strconv.FormatInt(time.Now().UnixMilli()%int64(24*time.Hour/time.Millisecond), 36)
	}
	with, err := parameters(pairs)
	if err == nil {
		f.Effect, err = fault.DecodeEffect(kind, with)
	}
	if bad := part.UnmarshalText([]byte(share)); bad != nil {
		err = errors.Join(err, fmt.Errorf("--share: %w", bad))
	} else if part == 0 {
		err = errors.Join(err, errors.New("--share 0% hits no connection: it must be above 0%"))
	}
	f.Share = float64(part)
	if f.Effect != nil {
		err = errors.Join(err, f.Check())
	}
	if err != nil {
		return usageError{mishap.WithHint(err, nearestOf(kind, err))}
	}
	return nil
}

// nearestOf is a hint for who named a kind of fault, or a parameter of one, that there
// is not.
func nearestOf(kind string, err error) string {
	word, known := kind, fault.Kinds()
	if slices.Contains(known, kind) {
		_, after, _ := strings.Cut(err.Error(), "unknown field ")
		if _, scanned := fmt.Sscanf(after, "%q", &word); scanned != nil {
			return "see `mishap proxy add --help`"
		}
		known = nil
		if effect, bad := fault.DecodeEffect(kind, nil); bad == nil {
			for _, f := range mishap.Fields(effect) {
				known = append(known, f.Name)
			}
		}
	}
	return mishap.Suggest(word, known)
}

// parameters turns KEY=VALUE pairs into JSON.
func parameters(pairs []string) (json.RawMessage, error) {
	with := map[string]any{}
	var problems []error
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		if _, twice := with[key]; !ok || key == "" || twice {
			problems = append(problems, fmt.Errorf("%q is not KEY=VALUE, or the key is given twice", pair))
			continue
		}
		value, err := parameter(text)
		with[key], problems = value, append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return json.Marshal(with)
}

// parameter is a number, a share, a size, a list, the lines of a file, or else a text.
func parameter(text string) (any, error) {
	if path, ok := strings.CutPrefix(text, "@"); ok {
		data, err := outside.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read trace: %w", err)
		}
		return strings.Fields(string(data)), nil
	}
	if strings.Contains(text, ",") {
		return strings.Split(text, ","), nil
	}
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole, nil
	}
	if number, err := mishap.ParseNumber(text); err == nil && !math.IsInf(number.Float(), 0) {
		return number.Float(), nil
	}
	var part mishap.Share
	if err := part.UnmarshalText([]byte(text)); err == nil {
		return float64(part), nil
	}
	if size, err := proxyfault.ParseSize(text); err == nil {
		return int64(size), nil
	}
	return text, nil
}

// addFault injects a fault, and says when all open connections have it.
func (c *cli) addFault(ctx context.Context, client *control.Client, f fault.Fault) error {
	status, err := client.Put(ctx, f)
	if err != nil {
		return err
	}
	spoils := status.Spoils
	for end := time.Now().Add(settled); !status.Stats.InForceOn.Complete() && time.Now().Before(end); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		if status, err = client.Get(ctx, f.ID); err != nil {
			return err
		}
	}
	status.Spoils = spoils
	if spoils != "" {
		c.tell("proxy %s belongs to run %s, which will be inconclusive: it cannot tell this fault from its own\n", f.Proxy, spoils)
	}
	if c.json() {
		return json.NewEncoder(c.out).Encode(status)
	}
	on := status.Stats.InForceOn
	if err := c.result("%s is in force on %d of %d open connections, and on those to come; ends in %s\n", f.ID, on.Connections, on.Of, mishap.Duration(f.Expires)); err != nil {
		return err
	}
	c.tell("see what it does: mishap proxy watch; end it: mishap proxy remove %s\n", f.ID)
	return nil
}
