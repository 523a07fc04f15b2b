package experiments

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"mishap/internal/yamltext"
)

// shape is what a node is.
type shape string

// The shapes, in the words of the messages.
const (
	mapping shape = "a mapping"
	list    shape = "a list"
	text    shape = "a text"
	number  shape = "a number"
	boolean shape = "true or false"
	broken  shape = "broken" // was reported; nothing more is said about it
)

// node is one value of a file with its position.
type node struct {
	shape        shape
	line, column int
	key          string // behind which it stands; "-" in a list
	value        string // of a scalar
	pairs        []pair // of a mapping
	items        []*node
}

// pair is one key of a mapping with its position.
type pair struct {
	key          string
	line, column int
	value        *node
}

// get returns the pair with that key, or nil.
func (n *node) get(key string) *pair {
	for i := range n.pairs {
		if n.pairs[i].key == key {
			return &n.pairs[i]
		}
	}
	return nil
}

// json returns the node as JSON with sorted keys, so that two files that say
// the same have the same digest.
func (n *node) json() json.RawMessage {
	data, err := json.Marshal(n.any())
	if err != nil { // numbers are checked and texts are UTF-8
		return nil
	}
	return data
}

func (n *node) any() any {
	switch n.shape {
	case mapping:
		m := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			m[p.key] = p.value.any()
		}
		return m
	case list:
		l := make([]any, len(n.items))
		for i, item := range n.items {
			l[i] = item.any()
		}
		return l
	case number:
		return json.Number(n.value)
	case boolean:
		return n.value == "true"
	default:
		return n.value
	}
}

// hasBroken reports whether a problem inside of n was reported already.
func (n *node) hasBroken() bool {
	return n.shape == broken ||
		slices.ContainsFunc(n.items, (*node).hasBroken) ||
		slices.ContainsFunc(n.pairs, func(p pair) bool { return p.value.hasBroken() })
}

// parse reads data as one YAML document; nil if it is not one. A parser is
// code of others fed with files of others: if it gives up, so does only the
// file.
func (f *file) parse(data []byte) (root *node) {
	defer func() {
		if r := recover(); r != nil {
			f.add(1, 1, "file is not YAML that can be read", "")
			root = nil
		}
	}()
	if p := yamltext.Fits(data); p != nil {
		f.add(p.Line, p.Column, p.Msg, p.Hint)
		return nil
	}
	tokens := lexer.Tokenize(yamltext.Masked(data))
	if countTokens(tokens) > mostTokens {
		f.add(0, 0, fmt.Sprintf("file has more than %d words and signs, which is too many for an experiment", mostTokens), "make several experiments of it")
		return nil
	}
	if !f.checkTokens(tokens) {
		return nil
	}
	doc, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f.addSyntax(err)
		return nil
	}
	if len(f.problems) == 0 {
		for _, p := range yamltext.Agree(data, doc) {
			f.addNotYAML(p.Line, p.Column, p.Msg, p.Hint)
		}
	}
	for _, d := range doc.Docs {
		switch d.Body.(type) {
		case nil, *ast.DirectiveNode, *ast.CommentGroupNode:
			continue
		}
		if root == nil {
			root = f.convert(d.Body, 0)
		}
	}
	if root == nil && len(f.problems) == 0 {
		f.add(0, 0, "file holds only comments", "write an experiment into it; `mishap init` makes one to start from")
	}
	return root
}

// countTokens counts what costs the parser more than its share; comments do
// not.
func countTokens(tokens token.Tokens) int {
	n := 0
	for _, t := range tokens {
		if t.Type != token.CommentType {
			n++
		}
	}
	return n
}

// checkTokens reports what YAML has and experiment files have not, and
// whether the tokens are harmless to parse: nesting costs the parser memory.
func (f *file) checkTokens(tokens token.Tokens) bool {
	documents, flow, run, line := 0, 0, 0, 0
	content, directive := false, false
	for _, t := range tokens {
		msg, hint := "", ""
		switch t.Type {
		case token.DocumentHeaderType:
			if documents++; documents > 1 || content && !directive {
				msg, hint = "a second document begins here", "put each experiment into a file of its own"
			}
			content = true
		case token.AnchorType:
			msg, hint = "anchors (&) are not read", "write the value where it is needed"
		case token.AliasType:
			msg, hint = "aliases (*) are not read", "write the value where it is needed, or quote a text that begins with *"
		case token.TagType:
			msg, hint = "tags (!) are not read", "remove it; quote what is a text"
		case token.MergeKeyType:
			msg, hint = "merge keys (<<) are not read", "write the keys where they are needed"
		case token.MappingKeyType:
			msg, hint = "explicit keys (?) are not read", "write it as `key: value`"
		case token.DirectiveType:
			directive = true
			msg, hint = "directives (%) are not read", "remove it"
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		}
		if t.Type != token.CommentType && t.Type != token.DocumentHeaderType {
			content = true
		}
		if t.Position.Line != line {
			run, line = 0, t.Position.Line
		}
		if t.Type == token.SequenceEntryType || t.Type == token.MappingValueType || msg != "" {
			run++ // "- - - -" and "a: b: c:" nest on one line
		}
		if flow > mostDepth || flow == 0 && run > mostDepth {
			f.addDeep(t.Position.Line, t.Position.Column)
			return false
		}
		if msg != "" {
			f.add(t.Position.Line, t.Position.Column, msg, hint)
		}
	}
	return documents <= 1
}

func (f *file) addDeep(line, column int) {
	f.add(line, column, fmt.Sprintf("nested deeper than %d levels", mostDepth), "an experiment needs five or so")
}

// convert turns the parser's node into one of this package's, and reports
// values that are not what they look like.
func (f *file) convert(n ast.Node, depth int) *node {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return &node{shape: broken, line: 1, column: 1}
	}
	at := n.GetToken().Position
	out := &node{line: at.Line, column: at.Column}
	if depth > mostDepth {
		f.addDeep(at.Line, at.Column)
		out.shape = broken
		return out
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			at = n.Values[0].Key.GetToken().Position
			out.line, out.column = at.Line, at.Column
		}
		f.convertMapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		f.convertMapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.shape = list
		for _, v := range n.Values {
			item := f.convert(v, depth+1)
			item.key = "-"
			out.items = append(out.items, item)
		}
	case *ast.AnchorNode:
		return f.convert(n.Value, depth+1)
	case *ast.TagNode:
		out.shape = broken // reported by its token; what it means is not asked
	case *ast.AliasNode, *ast.MergeKeyNode:
		out.shape = broken
	default:
		f.convertScalar(out, n)
	}
	return out
}

func (f *file) convertMapping(out *node, values []*ast.MappingValueNode, depth int) {
	out.shape = mapping
	seen := map[string]int{}
	for _, v := range values {
		t := v.Key.GetToken()
		if explicit, ok := v.Key.(*ast.MappingKeyNode); ok && explicit.Value != nil {
			t = explicit.Value.GetToken() // reported by its token
		}
		p := pair{key: t.Value, line: t.Position.Line, column: t.Position.Column, value: f.convert(v.Value, depth+1)}
		p.value.key = p.key
		if t.Type == token.MergeKeyType {
			continue // reported by its token
		}
		if first, twice := seen[p.key]; twice {
			f.add(p.line, p.column, fmt.Sprintf("key %q is here twice; the first is in line %d", p.key, first), "remove one")
			continue
		}
		seen[p.key] = p.line
		if what := misleading(p.key); what != "" {
			f.add(p.line, p.column, "this key "+what, "remove it")
			continue
		}
		if strings.Contains(p.key, "${") {
			f.add(p.line, p.column, "variables are replaced in values, not in keys", "write the key as it is")
			continue
		}
		out.pairs = append(out.pairs, p)
	}
}

// convertScalar fills out with the scalar n.
func (f *file) convertScalar(out *node, n ast.Node) {
	refuse := func(msg, hint string) {
		out.shape = broken
		f.add(out.line, out.column, msg, hint)
	}
	switch n := n.(type) {
	case *ast.NullNode:
		refuse("nothing is given here", "give a value, or remove the key")
	case *ast.BoolNode:
		out.shape, out.value = boolean, n.Token.Value
		if out.value != "true" && out.value != "false" {
			refuse(fmt.Sprintf("%s is not read as a boolean", out.value), "write true or false, or quote it if it is a text")
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.shape, out.value = number, n.GetToken().Value
		if !yamltext.IsNumber(out.value) || len(out.value) > 40 {
			refuse(fmt.Sprintf("%.40s is read differently by different readers", out.value), "write a plain decimal number, or quote it if it is a text")
		}
	case *ast.StringNode:
		out.shape, out.value = text, n.Value
		plain := n.Token.Type != token.SingleQuoteType && n.Token.Type != token.DoubleQuoteType
		if plain && implicitBoolean(n.Value) {
			refuse(fmt.Sprintf("%s is a boolean to some readers and a text to others", n.Value), "write true or false, or quote it if it is a text")
		}
	case *ast.LiteralNode:
		out.shape, out.value = text, n.Value.Value
	default:
		refuse("this is not a value that experiment files have", "")
	}
	if what := misleading(out.value); what != "" && out.shape == text {
		refuse("this text "+what, "remove it")
	}
}

func implicitBoolean(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "no", "on", "off":
		return true
	}
	return false
}
