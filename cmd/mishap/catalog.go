package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/report/words"
)

// entry is one line of a catalog.
type entry struct {
	Catalog string         `json:"catalog"`
	Name    string         `json:"name"`
	Summary string         `json:"summary"`
	Doc     string         `json:"doc"`
	Example string         `json:"example"`
	Symptom mishap.Symptom `json:"symptom,omitempty"` // of a fault: what whoever depends on its target sees
	fields  []group
}

// group is the parameters of one part of an entry.
type group struct {
	name   string
	params any
}

func (c *cli) catalogCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "catalog [NAME]",
		Short:   "List injectors, probes and safeguards, or explain one",
		Long:    "List what an experiment may use, or explain one entry with its parameters and an\nexample.",
		Example: "  mishap catalog\n  mishap catalog proxy-latency",
		Args:    atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			all := entries(a)
			if len(args) == 1 {
				return c.explain(all, args[0])
			}
			if c.json() {
				return json.NewEncoder(c.out).Encode(all)
			}
			return listCatalog(c.out, all, columnsOf(c.out))
		},
	}
}

func entries(a *app.App) []entry {
	var all []entry
	add := func(catalog string, k mishap.Kind, more ...group) {
		all = append(all, entry{Catalog: catalog, Name: k.Name, Summary: k.Summary, Doc: k.Doc, Example: k.Example,
			fields: append([]group{{"with", k.Params}}, more...)})
	}
	for _, k := range a.Injectors() {
		add("injector", k.Kind, group{"targets", k.Targets})
		all[len(all)-1].Symptom = k.Symptom
	}
	for _, k := range a.Probes() {
		add("probe", k.Kind, group{"expect", k.Expect})
	}
	for _, k := range a.Safeguards() {
		add("safeguard", k.Kind)
	}
	return all
}

func listCatalog(w io.Writer, all []entry, columns int) error {
	last, width := "", 0
	for _, e := range all {
		width = max(width, len(e.Name))
	}
	for _, e := range all {
		if e.Catalog != last {
			if last != "" {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "%sS\n", strings.ToUpper(e.Catalog))
			last = e.Catalog
		}
		for i, line := range words.Lines(e.Summary, columns-width-4) {
			if i > 0 {
				e.Name = ""
			}
			if _, err := fmt.Fprintf(w, "  %-*s  %s\n", width, e.Name, line); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cli) explain(all []entry, name string) error {
	columns := columnsOf(c.out)
	var names []string
	for _, e := range all {
		names = append(names, e.Name)
		if e.Name != name || e.Catalog == "safeguard" && name == "probe" && c.json() {
			continue
		}
		if c.json() {
			return json.NewEncoder(c.out).Encode(e)
		}
		fmt.Fprint(c.out, words.Fold(fmt.Sprintf("%s (%s): %s\n", e.Name, e.Catalog, e.Summary), columns))
		fmt.Fprintf(c.out, "\n%s\n", strings.Join(words.Lines(e.Doc, columns), "\n"))
		if sees := e.Symptom.Sentence(); sees != "" {
			fmt.Fprintf(c.out, "\n%s\n", strings.Join(words.Lines(sees, columns), "\n"))
		}
		for _, g := range e.fields {
			for i, f := range mishap.Fields(g.params) {
				if i == 0 {
					fmt.Fprintf(c.out, "\n%s:\n", g.name)
				}
				for j, line := range words.Lines(f.Doc, columns-22) {
					if j > 0 {
						f.Name = ""
					}
					fmt.Fprintf(c.out, "  %-18s  %s\n", f.Name, line)
				}
			}
		}
		_, err := fmt.Fprintf(c.out, "\nexample:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(e.Example), "\n", "\n  "))
		return err
	}
	return usageError{mishap.WithHint(fmt.Errorf("the catalogs have no %q", name), mishap.Suggest(name, names))}
}
