package chaostoolkit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"mishap"
)

// Limits of a file, which bound the work that a hostile one can cause.
const (
	MostBytes = 1 << 20
	mostDepth = 64
)

// read reads an experiment, JSON or YAML.
func read(data []byte) (yaml.MapSlice, error) {
	const hint = "give the experiment of Chaos Toolkit, JSON or YAML, as `chaos run` takes it"
	switch {
	case len(data) > MostBytes:
		return nil, fmt.Errorf("read experiment: it has more than %d bytes", MostBytes)
	case !isText(data):
		return nil, mishap.WithHint(errors.New("read experiment: it is not text in UTF-8"), hint)
	case depth(string(data)) > mostDepth:
		return nil, fmt.Errorf("read experiment: it is nested more than %d deep", mostDepth)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, mishap.WithHint(wrong(err), hint)
	}
	if len(file.Docs) != 1 {
		return nil, mishap.WithHint(fmt.Errorf("read experiment: it has %d documents", len(file.Docs)), hint)
	}
	var found references
	ast.Walk(&found, file.Docs[0].Body)
	if found.at != "" {
		return nil, mishap.WithHint(fmt.Errorf("read experiment: %s: anchors and aliases are not read", found.at), "write out what they stand for")
	}
	var all yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(data, &all, yaml.UseOrderedMap()); err != nil {
		return nil, mishap.WithHint(wrong(err), hint)
	}
	return all, nil
}

// isText reports whether it may be JSON or YAML, neither of which has bare control
// characters.
func isText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\u0085", r) })
}

// wrong says what a parser found and where, without what stands there: that may be a
// whole file in one line.
func wrong(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("read experiment: %w", err)
	}
	p := at.GetToken().Position
	return fmt.Errorf("read experiment: line %d, column %d: %s", p.Line, p.Column, at.GetMessage())
}

// references notes where the first anchor or alias is.
type references struct{ at string }

// Visit is ast.Visitor's.
func (r *references) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode:
		if r.at == "" {
			p := n.GetToken().Position
			r.at = fmt.Sprintf("%d:%d", p.Line, p.Column)
		}
	}
	return r
}

// depth is how deep a text is nested at most: by brackets, in one line by dashes, or
// by indentation.
func depth(text string) (most int) {
	open := 0
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(line, " ")
		dashes := strings.Count(line, "- ")
		most = max(most, (len(line)-len(trimmed))/2, dashes)
		for _, r := range line {
			switch r {
			case '[', '{':
				open++
				most = max(most, open)
			case ']', '}':
				open = max(open-1, 0)
			}
		}
	}
	return most
}

// Note is a part of an experiment that a file of mishap does not say.
type Note struct {
	Path string // "method[0].controls"
	What string // what stands there, as JSON
	Why  string
}

// part is an object of the experiment, of which everything must be taken or noted.
type part struct {
	path  string
	all   yaml.MapSlice
	taken map[string]bool
	whole bool // it is noted as a whole
	parts []*part
}

func newPart(path string, all yaml.MapSlice) *part {
	return &part{path: path, all: all, taken: map[string]bool{}}
}

// take is the value of a key, which is then no note.
func (p *part) take(key string) (any, bool) {
	for _, pair := range p.all {
		if pair.Key == key {
			p.taken[key] = true
			return pair.Value, pair.Value != nil
		}
	}
	return nil, false
}

// text is the value of a key that is a text; else it is a note.
func (p *part) text(key string) string {
	value, _ := p.take(key)
	text, is := value.(string)
	if !is {
		delete(p.taken, key)
	}
	return text
}

// number is the value of a key that is a number.
func (p *part) number(key string) (float64, bool) {
	value, _ := p.take(key)
	n, is := number(value)
	if !is {
		delete(p.taken, key)
	}
	return n, is
}

func number(value any) (float64, bool) {
	switch n := value.(type) {
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// part is the object at a key; without one it is empty, and what else is there a note.
func (p *part) part(key string) *part {
	for _, of := range p.parts {
		if of.path == p.below(key) {
			return of
		}
	}
	value, _ := p.take(key)
	all, is := value.(yaml.MapSlice)
	if !is {
		delete(p.taken, key)
	}
	of := newPart(p.below(key), all)
	p.parts = append(p.parts, of)
	return of
}

// list is the objects of the list at a key. An element that is none is a note.
func (p *part) list(key string) (out []*part, notes []Note) {
	value, there := p.take(key)
	list, is := value.([]any)
	if !is {
		if there {
			delete(p.taken, key)
		}
		return nil, nil
	}
	for i, one := range list {
		path := fmt.Sprintf("%s[%d]", p.below(key), i)
		if all, is := one.(yaml.MapSlice); is {
			of := newPart(path, all)
			out, p.parts = append(out, of), append(p.parts, of)
		} else {
			notes = append(notes, Note{path, jsonOf(one), "it is no object"})
		}
	}
	return out, notes
}

func (p *part) below(key string) string {
	if p.path == "" {
		return key
	}
	return p.path + "." + key
}

// left is what nobody took, here and below.
func (p *part) left() (notes []Note) {
	if p.whole {
		return nil
	}
	for _, pair := range p.all {
		if key := fmt.Sprint(pair.Key); !p.taken[key] {
			notes = append(notes, Note{p.below(key), jsonOf(pair.Value), cmp.Or(unlike()[key], "mishap has nothing like it")})
		}
	}
	for _, of := range p.parts {
		notes = append(notes, of.left()...)
	}
	return notes
}

// asWhole is the note of all of it.
func (p *part) asWhole(why string) Note {
	p.whole = true
	return Note{p.path, jsonOf(p.all), why}
}

// unlike says of keys why there is nothing like them.
func unlike() map[string]string {
	return map[string]string{
		"controls":      "mishap has no controls: each step is in the journal, and notifications are in the settings",
		"extensions":    "mishap keeps what it does not know in no file",
		"contributions": "say what an experiment is about in its tags",
		"runtime":       "mishap always asks the steady state before, during and after, and always reverts",
		"background":    "mishap injects all faults at once; `after` orders them",
		"secrets":       "a secret is written where it is used: {env: NAME} or {file: PATH}",
		"configuration": "a variable is one of `vars`, if something refers to it",
	}
}

// jsonOf is how a value is written in JSON, with its keys in their order.
func jsonOf(value any) string {
	switch v := value.(type) {
	case yaml.MapSlice:
		var pairs []string
		for _, pair := range v {
			pairs = append(pairs, jsonOf(fmt.Sprint(pair.Key))+": "+jsonOf(pair.Value))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, jsonOf(one))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(value) != nil { // .inf, say
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// errNoMethod is that a file is something else.
var errNoMethod = errors.New("read experiment: it has no method, and so is none of Chaos Toolkit")

// errJournal is that a file is what Chaos Toolkit writes of a run.
var errJournal = errors.New("read experiment: it is a journal of Chaos Toolkit, which holds the experiment of a run")

// ofType says why a provider of a type is not mapped.
func ofType(kind string) string {
	if kind == "" {
		return "it has no provider with a type; what it refers to is not looked up"
	}
	return fmt.Sprintf("its provider is of type %q, which is not known", kind)
}
