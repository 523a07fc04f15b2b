package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/app"
	servers "mishap/internal/member"
	"mishap/internal/plaintext"
	"mishap/internal/report/words"
)

func (c *cli) haltCommand() *cobra.Command {
	var reason string
	var everywhere bool
	cmd := &cobra.Command{
		Use:   "halt",
		Short: "Stop everything and start nothing, until resumed",
		Long: `Stop every run that uses this ledger; each reverts. Nothing starts until
` + "`mishap resume`" + `. Halt is written to a ledger that exists, and every server of it
on this host is asked as well; it waits up to 10 s until each has seen it and
each run has begun to revert, and names what did not (exit 1). A ledger that is
damaged or locked is exit 1 too, and its servers revert all the same.

With --everywhere the other ledgers of this host that have living servers are
halted too; those of other users only root can. Without it, and without a ledger
that --state or --ledger names, halt exits 1 if it found nothing to stop here
while servers of other ledgers live on this host.`,
		Example: "  mishap halt --reason 'incident 4711'\n  sudo mishap halt --everywhere",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if everywhere && c.server != "" {
				return usageError{mishap.WithHint(errors.New("--everywhere is for the ledgers of this host, and --server for one of another"), "leave one of the two out")}
			}
			return c.halt(cmd, reason, everywhere)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the others")
	cmd.Flags().BoolVar(&everywhere, "everywhere", false, "also the other ledgers of this host that have living servers")
	return cmd
}

// haltedLedger is a ledger that was asked for, in JSON.
type haltedLedger struct {
	Ledger  string   `json:"ledger"`
	Halted  bool     `json:"halted"`            // nothing starts any more
	Runs    []string `json:"runs"`              // that were told to stop
	Servers []string `json:"servers"`           // of this host, that have seen it
	Late    []string `json:"late,omitempty"`    // what did not confirm, or did not begin to revert
	Problem string   `json:"problem,omitempty"` // why halt is not written
	Before  *haltOf  `json:"before,omitempty"`  // that there was already, and stays
}

// haltOf is a halt, in JSON.
type haltOf struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// haltAnswer is what halt did, in JSON.
type haltAnswer struct {
	Stopped bool                `json:"stopped"` // exit code 0
	Ledgers []haltedLedger      `json:"ledgers"`
	Others  []servers.Neighbour `json:"others"` // living servers of this host that were not asked
	Idle    []string            `json:"idle"`   // ledgers in the usual places that were not halted, and no living server uses
}

// halt stops first, and looks at what else there is afterwards.
func (c *cli) halt(cmd *cobra.Command, reason string, everywhere bool) error {
	d, err := c.openDesk()
	if err != nil {
		return err
	}
	defer d.Close()
	all, err := d.Halt(cmd.Context(), whoami(), reason, everywhere)
	if err != nil {
		c.failFolded(err)
		return nil
	}
	answer := haltAnswer{Stopped: true, Ledgers: []haltedLedger{}, Others: []servers.Neighbour{}, Idle: []string{}}
	for _, one := range all {
		err := one.Err()
		if err != nil {
			c.failFolded(err)
		}
		answer.Stopped = answer.Stopped && err == nil
		answer.Ledgers = append(answer.Ledgers, inJSON(one))
	}
	if a, local := d.(*app.App); local {
		if !everywhere {
			answer.Others = append(answer.Others, a.Neighbours(false)...)
		}
		answer.Idle = append(answer.Idle, a.Idle()...)
	}
	named := c.state != "" || c.ledger != ""
	if !named && len(answer.Others) > 0 && all[0].Nothing() {
		answer.Stopped = false
		c.failFolded(mishap.WithHint(fmt.Errorf("nothing was stopped: no server of ledger %s lives on this host, and others do", all[0].Ledger),
			"name the ledger to halt, or stop all of this host with\nmishap halt --everywhere"))
	}
	err = c.tellHalt(answer, all)
	if answer.Stopped {
		c.nameLeftovers(cmd.Context(), d)
	}
	return err
}

func inJSON(s api.Stopped) haltedLedger {
	one := haltedLedger{Ledger: s.Ledger, Halted: s.Problem == nil, Runs: append([]string{}, s.Runs...), Servers: append([]string{}, s.Servers...), Late: s.Late}
	if s.Problem != nil {
		one.Problem = s.Problem.Error()
	}
	if h := s.Before; h != nil {
		one.Before = &haltOf{By: h.By, Reason: h.Reason, At: h.At.UTC()}
	}
	return one
}

// tellHalt says what was halted, and on stderr what was not.
func (c *cli) tellHalt(answer haltAnswer, all []api.Stopped) error {
	for _, n := range answer.Others {
		c.tellFolded(fmt.Sprintf("mishap: not of this ledger: %s; stop it with", n), "mishap halt "+n.Reach())
	}
	for _, dir := range answer.Idle {
		c.tellFolded("mishap: not halted: a ledger that no living server uses; halt it with", "mishap halt --state="+dir)
	}
	if c.json() {
		return json.NewEncoder(c.out).Encode(answer)
	}
	text := ""
	if answer.Stopped {
		text = folded(foldsOf(c.out), "halted: every run reverts, and nothing starts until `mishap resume`", "")
	}
	for _, one := range all {
		indent := ""
		for _, line := range one.Lines() {
			text += folded(foldsOf(c.out), line, indent)
			indent = "  "
		}
	}
	_, err := fmt.Fprint(c.out, text)
	return err
}

// folded is a sentence in lines of at most so many columns, each behind an indent, and
// those after the first behind two more spaces; 0 columns: in one line.
func folded(columns int, sentence, indent string) string {
	text := plaintext.Line(sentence)
	indent += text[:len(text)-len(strings.TrimLeft(text, " "))]
	if columns > 0 {
		columns -= len(indent) + 2
	}
	return indent + strings.Join(words.Lines(text, columns), "\n"+indent+"  ") + "\n"
}

// tellFolded says a sentence on the way, and below it what to type, each on a line of
// its own.
func (c *cli) tellFolded(sentence string, toType ...string) {
	text := folded(foldsOf(c.err), sentence, "")
	for _, command := range toType {
		text += "  " + plaintext.Line(command) + "\n"
	}
	_, _ = fmt.Fprint(c.err, text)
}

// failFolded is [cli.fail] in lines that fit a terminal.
func (c *cli) failFolded(err error) {
	for line := range strings.Lines(sentence(err)) {
		c.tellFolded("mishap: " + line)
	}
	var hinted *mishap.Hinted
	if errors.As(err, &hinted) && hinted.Hint != "" {
		begin := "hint: "
		for line := range strings.Lines(hinted.Hint) {
			c.tellFolded(begin + strings.TrimSpace(line)) // a line may be what to type
			begin = "  "
		}
	}
	c.outcome = mishap.Worst(c.outcome, outcomeOf(err))
}

// nameLedger says on stderr which ledger is read or written.
func (c *cli) nameLedger(d desk) {
	if a, local := d.(*app.App); local {
		c.tell("mishap: ledger %s\n", fromHere(a.Where()))
	}
}

// fromHere is a path as somebody in the working directory would write it, if it
// is below that.
func fromHere(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if below, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(below) {
		return "." + string(filepath.Separator) + below
	}
	return path
}

// nameNeighbours says on stderr where other ledgers of this host are in use.
func (c *cli) nameNeighbours(d desk) {
	if a, local := d.(*app.App); local {
		for _, n := range a.Neighbours(false) {
			c.tellFolded(fmt.Sprintf("mishap: not of this ledger: %s; reach it with", n), n.Reach())
		}
	}
}
