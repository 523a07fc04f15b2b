package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/config"
	"mishap/internal/vault"
)

func sweepCommand(c *cli) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "sweep [RUN…]",
		Short: "Revert what lost runs left in AWS, without any ledger",
		Long: `Look into the vaults of all accounts and regions that the settings list, and
revert what no run holds any more: neither a ledger nor a state directory is
needed, nor the machine that injected it. A run that lives holds what it
changes, and says so every 20 s; one that is lost holds it for a minute. A RUN
that is named is reverted even if it is held: if it lives, stop it first with
` + "`mishap abort`" + `. What a person or another program has changed since stays.

With --list nothing is reverted. What could not be reverted or read is named
and stays in the vault (exit 6). A place that cannot be looked into: exit 1.`,
		Example: "  mishap sweep\n  mishap sweep --list -o json\n  mishap sweep 7f3a9b21",
		RunE: func(cmd *cobra.Command, runs []string) error {
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			return sweepNow(cmd.Context(), c, a, list, runs)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "only say what there is")
	return cmd
}

func sweepNow(ctx context.Context, c *cli, a *app.App, list bool, runs []string) error {
	s := a.Sweeper
	switch {
	case s == nil && len(a.Places()) == 0:
		return mishap.Invalid(mishap.WithHint(errors.New("the settings list no account and region of AWS to look into"), "write accounts: ['123456789012'] and regions: [eu-west-1] into mishap.yaml, or name the file with --config"))
	case s == nil:
		return mishap.Invalid(mishap.WithHint(errors.New("the settings turn the vault off (vault: "+config.NoVault+")"), "if there was one before, sweep it with MISHAP_VAULT=/mishap mishap sweep"))
	}
	var swept vault.Swept
	if list {
		swept = s.List(ctx, runs...)
	} else {
		swept = s.Sweep(ctx, func(f vault.Found) { c.tellFolded("mishap: reverting " + sweptHead(f)) }, runs...)
	}
	for _, err := range sweptProblems(a.Settings.Vault, swept, runs) {
		c.failFolded(err)
	}
	if c.json() {
		return json.NewEncoder(c.out).Encode(sweptJSON(a.Settings.Vault, swept, c.outcome == mishap.OutcomeHeld))
	}
	text := ""
	for _, f := range swept.Records {
		text += sweptText(f, foldsOf(c.out))
	}
	if text == "" && c.outcome == mishap.OutcomeHeld {
		text = fmt.Sprintf("nothing to sweep in %s\n", mishap.Plural(len(swept.Places), "place"))
	}
	_, err := fmt.Fprint(c.out, text)
	return err
}

// sweepToo is a sweep beside something else: it says what it put back, and how many
// records that were.
func sweepToo(ctx context.Context, c *cli, a *app.App) (n int, err error) {
	s := a.Sweeper
	if s == nil {
		return 0, nil
	}
	swept := s.Sweep(ctx, func(f vault.Found) { c.tellFolded("mishap: reverting " + sweptHead(f)) })
	for _, err := range sweptProblems(a.Settings.Vault, swept, nil) {
		c.failFolded(err)
	}
	for _, f := range swept.Records {
		if f.Swept {
			n++
			_, wrong := fmt.Fprint(c.out, sweptText(f, foldsOf(c.out)))
			err = errors.Join(err, wrong)
		} else if f.Held {
			c.tellFolded("mishap: left alone: " + sweptHead(f) + ", which its owner holds until " + mishap.Moment(f.HeldUntil))
		}
	}
	return n, err
}

// sweptProblems are what keeps a sweep from being clean.
func sweptProblems(path string, swept vault.Swept, runs []string) (problems []error) {
	for _, p := range swept.Places {
		if p.Err != nil {
			problems = append(problems, p.Err)
		}
	}
	if problems == nil { // else it may be there
		for _, run := range runs {
			if !slices.ContainsFunc(swept.Records, func(f vault.Found) bool { return f.Run == run }) {
				problems = append(problems, mishap.WithHint(fmt.Errorf("no vault has anything of run %q", run), "`mishap sweep --list` shows what there is"))
			}
		}
	}
	for _, f := range swept.Records {
		switch {
		case f.Problem != nil && !f.Out():
			problems = append(problems, mishap.StillIn(mishap.WithHint(fmt.Errorf("parameter %s/%s in %s %s cannot be read, and what it is about may still be in force: %w", path, f.Name, f.Where.Account, f.Where.Region, f.Problem),
				"revert by hand what run "+f.Run+" changed, then delete the parameter")))
		case f.Problem != nil:
			problems = append(problems, mishap.WithHint(fmt.Errorf("run %s is reverted, and its record could not be removed: %w", f.Run, f.Problem), "`mishap sweep` tries again"))
		case f.Swept && !f.Out():
			problems = append(problems, mishap.StillIn(mishap.WithHint(fmt.Errorf("of run %s something may still be in force, in %s %s", f.Run, f.Where.Account, f.Where.Region),
				"`mishap sweep` tries again; reverted by hand, it finds nothing to do and removes the record")))
		}
	}
	return problems
}

// sweptHead is one record in a few words.
func sweptHead(f vault.Found) string {
	text := fmt.Sprintf("run %s", f.Run)
	if f.By != "" {
		text += " of " + f.By
	}
	if len(f.Left) > 0 {
		text += fmt.Sprintf(": %s on %s", f.Left[0].Injector, mishap.Plural(len(f.Left), "target"))
	}
	return text + fmt.Sprintf(" in %s %s", f.Where.Account, f.Where.Region)
}

// sweptText is one record, and what became of it, in lines of at most so many columns.
func sweptText(f vault.Found, columns int) string {
	text := folded(columns, sweptHead(f), "")
	switch {
	case f.Problem != nil && !f.Out():
		return text + folded(columns, fmt.Sprintf("cannot be read: %v", f.Problem), "  ")
	case f.Held && !f.Swept:
		return text + folded(columns, "held by its owner until "+mishap.Moment(f.HeldUntil), "  ")
	case !f.Swept:
		return text + folded(columns, "held by nobody since "+mishap.Moment(f.HeldUntil), "  ")
	}
	const few = 3
	out := 0
	for _, l := range f.Left {
		if l.State.Settled() {
			out++
		}
	}
	if out > few {
		text += folded(columns, fmt.Sprintf("%d of %d reverted", out, len(f.Left)), "  ")
	}
	for _, l := range f.Left {
		if l.State.Settled() && out > few {
			continue
		}
		line := fmt.Sprintf("%s: %s", l.Target.ID, l.State)
		if l.Detail != "" {
			line += ", " + l.Detail
		}
		text += folded(columns, line, "  ")
	}
	return text
}

// sweptAnswer is what a sweep found and did, in JSON.
type sweptAnswer struct {
	Clean   bool          `json:"clean"` // exit code 0
	Places  []sweptPlace  `json:"places"`
	Records []sweptRecord `json:"records"`
}

type sweptPlace struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Problem string `json:"problem,omitempty"` // why not all of it could be looked into
}

type sweptRecord struct {
	Account    string           `json:"account"`
	Region     string           `json:"region"`
	Parameter  string           `json:"parameter"`
	Run        string           `json:"run"`
	By         string           `json:"by,omitempty"`        // whom to ask: user and host
	HeldUntil  string           `json:"heldUntil,omitempty"` // by its owner
	Held       bool             `json:"held"`                // still, when it was read
	Swept      bool             `json:"swept"`               // it was reverted, or that was tried
	Out        bool             `json:"out"`                 // nothing of it is in
	Problem    string           `json:"problem,omitempty"`   // why it cannot be read, or removed
	Injections []sweptInjection `json:"injections"`
}

type sweptInjection struct {
	ID       string                `json:"id"`
	Fault    string                `json:"fault"`
	Injector string                `json:"injector"`
	Target   string                `json:"target"`
	State    mishap.InjectionState `json:"state,omitempty"` // what became of it, if it was swept
	Detail   string                `json:"detail,omitempty"`
}

func sweptJSON(path string, swept vault.Swept, clean bool) sweptAnswer {
	answer := sweptAnswer{Clean: clean, Places: []sweptPlace{}, Records: []sweptRecord{}}
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	for _, p := range swept.Places {
		answer.Places = append(answer.Places, sweptPlace{p.Where.Account, p.Where.Region, text(p.Err)})
	}
	for _, f := range swept.Records {
		r := sweptRecord{
			Account: f.Where.Account, Region: f.Where.Region, Parameter: path + "/" + f.Name, Run: f.Run, By: f.By,
			Held: f.Held, Swept: f.Swept, Out: f.Out(), Problem: text(f.Problem), Injections: []sweptInjection{},
		}
		if !f.HeldUntil.IsZero() {
			r.HeldUntil = f.HeldUntil.UTC().Format("2006-01-02T15:04:05Z")
		}
		for _, l := range f.Left {
			r.Injections = append(r.Injections, sweptInjection{l.ID, l.Fault, l.Injector, l.Target.ID, l.State, l.Detail})
		}
		answer.Records = append(answer.Records, r)
	}
	return answer
}
