package chaostoolkit

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"mishap"
)

// Imported is an experiment of mishap.
type Imported struct {
	Name string
	File []byte   // YAML
	Left []Note   // what is not mapped
	Does []Note   // what mishap does by itself
	Open []string // what a person must complete
}

// importing is one experiment on its way.
type importing struct {
	Imported
	vars    yaml.MapSlice
	steady  []yaml.MapSlice
	faults  []yaml.MapSlice
	targets int
}

// Import writes an experiment as mishap has it; source is the name of its file. An error
// means that it is none of Chaos Toolkit's.
func Import(source string, data []byte) (Imported, error) {
	all, err := read(data)
	if err != nil {
		return Imported{}, err
	}
	top := newPart("", all)
	if _, has := top.take("method"); !has {
		if _, journal := top.take("chaoslib-version"); journal {
			return Imported{}, mishap.WithHint(errJournal, "write what stands in it under experiment to a file, and give that")
		}
		return Imported{}, mishap.WithHint(errNoMethod, "give a file with title, method and, mostly, steady-state-hypothesis")
	}
	i := &importing{}
	title, description, version := top.text("title"), top.text("description"), top.text("version")
	i.Name = slug(title, source)
	configuration := top.part("configuration")
	claim := i.hypothesis(top.part("steady-state-hypothesis"))
	rollbacks, notes := top.list("rollbacks")
	i.Left = append(i.Left, notes...)
	i.method(top, rollbacks)
	tags := i.tags(top)
	i.missing()
	i.variables(configuration, jsonOf(i.used(claim, tags)))
	i.Left = append(i.Left, top.left()...)
	if claim == "" {
		claim = title
	}
	head := yaml.MapSlice{{Key: "version", Value: 1}, {Key: "name", Value: i.Name}, {Key: "claim", Value: claim}}
	i.File, err = i.write(source, version, title, description, head, tags)
	return i.Imported, err
}

// missing asks for what every experiment of mishap has.
func (i *importing) missing() {
	if len(i.steady) == 0 {
		i.Open = append(i.Open, "a probe is missing: nothing of the file became one of steadyState; `mishap catalog` lists the probes")
	}
	if len(i.faults) == 0 {
		i.Open = append(i.Open, "a fault is missing: nothing of the file became one of faults; `mishap catalog` lists the injectors")
	}
}

// used is all that may refer to variables.
func (i *importing) used(claim string, tags yaml.MapSlice) []any {
	all := []any{claim, tags}
	for _, one := range append(append([]yaml.MapSlice{}, i.steady...), i.faults...) {
		all = append(all, one)
	}
	return all
}

// variables are those values of the configuration that the file refers to.
func (i *importing) variables(p *part, in string) {
	for _, pair := range p.all {
		key := fmt.Sprint(pair.Key)
		if !variable.MatchString(key) || !strings.Contains(in, "${"+key+"}") {
			continue
		}
		switch value := pair.Value.(type) {
		case yaml.MapSlice:
			from := newPart(p.below(key), value)
			name, kind := from.text("key"), from.text("type")
			start, _ := from.take("default")
			if kind != "env" || name == "" || len(from.left()) > 0 {
				continue
			}
			i.vars = append(i.vars, yaml.MapItem{Key: key, Value: plain(start)})
			i.Open = append(i.Open, fmt.Sprintf("variable %s came from the environment: give it with --var %s=$%s", key, key, name))
		case string, bool, int64, uint64, float64:
			i.vars = append(i.vars, yaml.MapItem{Key: key, Value: plain(value)})
		default:
			continue
		}
		p.taken[key] = true
	}
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func plain(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// hypothesis makes the steady state of the probes; its title is the claim.
func (i *importing) hypothesis(p *part) (claim string) {
	claim = p.text("title")
	probes, notes := p.list("probes")
	i.Left = append(i.Left, notes...)
	for _, one := range probes {
		if made, why := i.probe(one); why != "" {
			i.Left = append(i.Left, one.asWhole(why))
		} else {
			i.steady = append(i.steady, made)
		}
	}
	return claim
}

// tags are a list there. One of "key:value" is one of ours.
func (i *importing) tags(top *part) (tags yaml.MapSlice) {
	list, _ := top.take("tags")
	all, is := list.([]any)
	if !is {
		delete(top.taken, "tags")
	}
	for _, one := range all {
		key, value, _ := strings.Cut(strings.TrimSpace(fmt.Sprint(one)), ":")
		if value = strings.TrimSpace(value); value == "" {
			value = "true"
		}
		tags = append(tags, yaml.MapItem{Key: strings.TrimSpace(key), Value: value})
	}
	return tags
}

// slug is a name made of a title, or of the name of the file.
func slug(title, source string) string {
	text := title
	if text == "" {
		text = strings.TrimSuffix(source, ".json")
	}
	words := regexp.MustCompile(`[^a-z0-9]+`).Split(strings.ToLower(text), -1)
	name := ""
	for _, word := range words {
		if word == "" || len(name)+len(word) > 50 {
			continue
		}
		name = strings.TrimPrefix(name+"-"+word, "-")
	}
	if name == "" {
		return "imported"
	}
	return name
}
