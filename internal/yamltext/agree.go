// Package yamltext makes sure that a file says what YAML says it does. The
// parser that knows positions and explains mistakes drops or refuses some
// characters that YAML allows (a tab inside of a text); another parser, a port
// of libyaml, reads the same file beside it, and every text is what both read.
// Where they do not agree, that is a problem with a position, and never a value.
package yamltext

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"go.yaml.in/yaml/v3"
)

// Problem is something that is not read the same by everyone.
type Problem struct {
	Line, Column int // from 1
	Msg, Hint    string
}

// Masked returns the text for the first parser: line breaks are those of unix,
// as YAML normalises them, and a tab behind anything else on its line is a
// space, which means the same between values. [Agree] puts the tabs inside of
// values back. Lines and columns stay the same.
func Masked(data []byte) string {
	text := []byte(unixBreaks(data))
	content := false
	for i, c := range text {
		switch c {
		case '\n':
			content = false
		case '\t':
			if content {
				text[i] = ' '
			}
		case ' ':
		default:
			content = true
		}
	}
	return string(text)
}

func unixBreaks(data []byte) string {
	return string(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")))
}

// Agree compares what was parsed of [Masked] with what the second parser reads
// in data, and corrects the texts in the tree.
func Agree(data []byte, file *ast.File) (problems []Problem) {
	defer func() {
		if r := recover(); r != nil {
			problems = []Problem{{1, 1, "file is not YAML that can be read", ""}}
		}
	}()
	if problems := hidden(unixBreaks(data)); len(problems) > 0 {
		return problems
	}
	var twin yaml.Node
	if err := yaml.Unmarshal([]byte(unixBreaks(data)), &twin); err != nil {
		return []Problem{syntax(err)}
	}
	w := &walk{}
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.DirectiveNode, *ast.CommentGroupNode:
		default:
			if len(twin.Content) == 1 {
				w.node(doc.Body, twin.Content[0])
			}
		}
	}
	return w.problems
}

// hidden finds characters that are a line break to readers of YAML 1.1 only, or
// that no file may hold.
func hidden(text string) (problems []Problem) {
	for n, line := range strings.Split(text, "\n") {
		column := 0
		for _, r := range line {
			column++
			switch {
			case r == '\uFEFF' && n == 0 && column == 1, r == '\t':
			case r < ' ', r >= 0x7F && r < 0xA0, r == '\u2028', r == '\u2029', r == '\uFEFF':
				problems = append(problems, Problem{n + 1, column, fmt.Sprintf("the file holds the control character U+%04X", r), "remove it, or write it as an escape in double quotes"})
			}
		}
	}
	return problems
}

// placed is how the second parser says where a mistake is.
var placed = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)

func syntax(err error) Problem {
	p := Problem{1, 1, "not YAML: " + err.Error(), ""}
	if parts := placed.FindStringSubmatch(err.Error()); parts != nil {
		p.Msg = "not YAML: " + parts[2]
		if line, err := strconv.Atoi(parts[1]); err == nil {
			p.Line = line
		}
	}
	if strings.Contains(p.Msg, "cannot start any token") {
		p.Hint = "indent with spaces, and quote a text that begins with a sign"
	}
	return p
}

type walk struct{ problems []Problem }

func (w *walk) add(n ast.Node, msg, hint string) {
	at := n.GetToken().Position
	w.problems = append(w.problems, Problem{at.Line, at.Column, msg, hint})
}

const plainHint = "write it on one line and in double quotes, with \\n and \\t where they are meant"

func (w *walk) differs(n ast.Node) {
	w.add(n, "this is read differently by different readers of YAML", plainHint)
}

// node walks both trees side by side.
func (w *walk) node(n ast.Node, twin *yaml.Node) {
	switch n := n.(type) {
	case *ast.MappingNode:
		w.mapping(n, n.Values, twin)
	case *ast.MappingValueNode:
		w.mapping(n, []*ast.MappingValueNode{n}, twin)
	case *ast.SequenceNode:
		if twin.Kind != yaml.SequenceNode || len(twin.Content) != len(n.Values) {
			w.differs(n)
			return
		}
		for i, v := range n.Values {
			w.node(v, twin.Content[i])
		}
	case *ast.AnchorNode:
		w.node(n.Value, twin)
	case *ast.TagNode:
		w.node(n.Value, twin)
	case *ast.AliasNode:
		if twin.Kind != yaml.AliasNode {
			w.differs(n)
		}
	default:
		if twin.Kind != yaml.ScalarNode {
			w.differs(n)
			return
		}
		w.scalar(n, twin)
	}
}

func (w *walk) mapping(n ast.Node, values []*ast.MappingValueNode, twin *yaml.Node) {
	if twin.Kind != yaml.MappingNode || len(twin.Content) != 2*len(values) {
		w.differs(n)
		return
	}
	for i, v := range values {
		key := v.Key.GetToken()
		if explicit, ok := v.Key.(*ast.MappingKeyNode); ok && explicit.Value != nil {
			key = explicit.Value.GetToken()
		}
		if fixed, ok := same(key.Value, twin.Content[2*i].Value); ok {
			key.Value = fixed
		} else {
			w.differs(v.Key)
		}
		w.node(v.Value, twin.Content[2*i+1])
	}
}

func (w *walk) scalar(n ast.Node, twin *yaml.Node) {
	var value *string
	switch n := n.(type) {
	case *ast.StringNode:
		value = &n.Value
	case *ast.LiteralNode:
		value = &n.Value.Value
	case *ast.NullNode: // has no text where nothing is written
		if twin.Tag != "!!null" {
			w.differs(n)
		}
		return
	default:
		value = &n.GetToken().Value
	}
	fixed, ok := same(*value, twin.Value)
	if !ok {
		w.differs(n)
		return
	}
	*value = fixed
	plain := twin.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if tag := twin.ShortTag(); plain && (tag == "!!int" || tag == "!!float") && !jsonNumber.MatchString(fixed) {
		w.add(n, fmt.Sprintf("%.40s is read differently by different readers", fixed), "write a plain decimal number, or quote it if it is a text")
	}
}

// jsonNumber is a number that everyone reads the same way.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// IsNumber reports whether a plain text is a number to every reader.
func IsNumber(text string) bool { return jsonNumber.MatchString(text) }

// same is the text as the second parser read it, if the first one read the same
// but for tabs, which [Masked] made spaces.
func same(first, second string) (string, bool) {
	spaced := func(s string) string { return strings.ReplaceAll(s, "\t", " ") }
	return second, spaced(first) == spaced(second)
}
