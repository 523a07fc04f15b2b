package experiments

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mishap"
)

var (
	varName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	// reference is ${name}, its escape $${, or a ${ that is not closed.
	reference = regexp.MustCompile(`\$\$\{|\$\{([^{}]*)\}|\$\{`)
)

// variables are the values that one file may refer to.
type variables struct {
	values map[string]string
	used   map[string]bool
}

// replaceVars replaces ${name} where a file may have it, after parsing, so
// that a value never becomes structure, and reports it everywhere else: what
// limits the harm stands in the file, whatever the variables are.
func (f *file) replaceVars(root *node, override map[string]string) {
	vars := f.declaredVars(root, override)
	for _, p := range root.pairs {
		switch p.key {
		case "claim", "owner", "group", "tags", "needs":
			f.replace(p.value, vars)
		case "steadyState":
			f.replaceItems(p.value, vars, "with", "expect")
		case "faults":
			f.replaceItems(p.value, vars, "with", "targets")
		case "compare":
			f.replaceCompare(p.value, vars)
		default:
			f.refuseVars(p.value, p.key)
		}
	}
	declared := root.get("vars")
	if declared == nil || declared.value.shape != mapping {
		return
	}
	for _, p := range declared.value.pairs {
		if !vars.used[p.key] {
			f.add(p.line, p.column, fmt.Sprintf("variable %q is never used", p.key), "remove it, or refer to it as ${"+p.key+"}")
		}
	}
}

// declaredVars returns the file's variables with the values given for them.
func (f *file) declaredVars(root *node, override map[string]string) *variables {
	vars := &variables{values: map[string]string{}, used: map[string]bool{}}
	declared := root.get("vars")
	if declared == nil {
		return vars
	}
	for _, p := range declared.value.pairs {
		if !varName.MatchString(p.key) {
			f.add(p.line, p.column, fmt.Sprintf("%q is not a name for a variable", p.key), "use letters, digits, dashes and underscores, and begin with a letter")
		}
		vars.values[p.key] = p.value.value
		if value, ok := override[p.key]; ok {
			vars.values[p.key] = value
		}
	}
	return vars
}

// replaceItems replaces in the values of some keys of each item, and refuses
// variables in the others.
func (f *file) replaceItems(items *node, vars *variables, keys ...string) {
	if items.shape != list {
		f.refuseVars(items, "this value")
		return
	}
	for _, item := range items.items {
		for _, p := range item.pairs {
			if slices.Contains(keys, p.key) {
				f.replace(p.value, vars)
			} else {
				f.refuseVars(p.value, p.key)
			}
		}
	}
}

// replaceCompare replaces in the parameters of the metrics' sources.
func (f *file) replaceCompare(compare *node, vars *variables) {
	for _, p := range compare.pairs {
		if p.key == "metrics" {
			f.replaceItems(p.value, vars, "with")
		} else {
			f.refuseVars(p.value, p.key)
		}
	}
}

// replace replaces in all texts below n.
func (f *file) replace(n *node, vars *variables) {
	for _, p := range n.pairs {
		f.replace(p.value, vars)
	}
	for _, item := range n.items {
		f.replace(item, vars)
	}
	if n.shape != text || !strings.Contains(n.value, "${") {
		return
	}
	wrong := false
	value := reference.ReplaceAllStringFunc(n.value, func(match string) string {
		if match == "$${" {
			return "${"
		}
		name, closed := strings.CutSuffix(strings.TrimPrefix(match, "${"), "}")
		value, known := vars.values[name]
		vars.used[name] = true
		switch {
		case !closed:
			f.add(n.line, n.column, "${ is not closed with }", "write $${ where ${ is meant literally")
		case !known:
			f.add(n.line, n.column, fmt.Sprintf("variable %q is not defined", name), undefinedHint(name, vars.values))
		}
		wrong = wrong || !known || !closed
		return value
	})
	if wrong {
		n.shape = broken
		return
	}
	n.value = value
}

func undefinedHint(name string, known map[string]string) string {
	const literal = "write $${ where ${ is meant literally"
	if len(known) == 0 {
		return "define it under vars; " + literal
	}
	return mishap.Suggest(name, slices.Sorted(maps.Keys(known))) + "; " + literal
}

// refuseVars reports variables below n, where there must be none.
func (f *file) refuseVars(n *node, key string) {
	for _, p := range n.pairs {
		f.refuseVars(p.value, key)
	}
	for _, item := range n.items {
		f.refuseVars(item, key)
	}
	if n.shape == text && strings.Contains(n.value, "${") {
		f.reject(n, fmt.Sprintf("variables are not replaced in %s", key),
			"write the value; variables are for claim, owner, group, tags, needs, with, expect and targets")
	}
}

// checkGivenVars reports values given from outside that hide something, or
// that no file asks for, if every file could be asked.
func checkGivenVars(given map[string]string, all []loaded) Problems {
	declared, complete := map[string]bool{}, true
	for _, l := range all {
		complete = complete && l.read
		for _, name := range l.vars {
			declared[name] = true
		}
	}
	var problems Problems
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if complete && !declared[name] {
			problems = append(problems, Problem{
				Msg:  fmt.Sprintf("--var %s: no experiment declares a variable of that name", name),
				Hint: mishap.Suggest(name, slices.Sorted(maps.Keys(declared))),
			})
		}
		if what := misleading(given[name]); what != "" {
			problems = append(problems, Problem{Msg: fmt.Sprintf("--var %s: the value %s", name, what)})
		}
	}
	return problems
}
