package experiments

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
)

// addSyntax reports what the parser says at its position.
func (f *file) addSyntax(err error) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil || syntax.Token.Position == nil {
		f.add(1, 1, "file is not YAML: "+err.Error(), "")
		return
	}
	msg, hint := syntax.Message, ""
	if strings.Contains(msg, "\t") || strings.Contains(msg, "tab") {
		msg, hint = strings.ReplaceAll(msg, "\t", "tab"), "indent with spaces"
	}
	f.addNotYAML(syntax.Token.Position.Line, syntax.Token.Position.Column, "not YAML: "+msg, hint)
}

// addNotYAML reports what a parser says, and what a person cannot see in the line.
func (f *file) addNotYAML(line, column int, msg, hint string) {
	if line >= 1 && line <= len(f.lines) {
		switch text := f.lines[line-1]; {
		case strings.Contains(text, "\t") && strings.TrimSpace(text) == "":
			msg, hint = "not read: the line has nothing but tabs and spaces", "make it empty"
		case strings.ContainsRune(text, '\u00A0'):
			hint = "the line holds a no-break space (U+00A0), which separates nothing in YAML: type a space instead"
		}
	}
	f.add(line, column, msg, hint)
}
