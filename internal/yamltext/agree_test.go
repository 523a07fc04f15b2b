package yamltext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"mishap/internal/yamltext"
)

// read returns the text under the key k, or what is unclear about the file.
func read(data string) (value string, problems []yamltext.Problem, err error) {
	file, err := parser.ParseBytes([]byte(yamltext.Masked([]byte(data))), 0)
	if err != nil {
		return "", nil, err
	}
	if problems = yamltext.Agree([]byte(data), file); len(problems) > 0 {
		return "", problems, nil
	}
	for _, doc := range file.Docs {
		if root, ok := doc.Body.(ast.MapNode); ok {
			for pairs := root.MapRange(); pairs.Next(); {
				switch v := pairs.Value().(type) {
				case *ast.StringNode:
					return v.Value, nil, nil
				case *ast.LiteralNode:
					return v.Value.Value, nil, nil
				}
			}
		}
	}
	return "", nil, nil
}

// What YAML 1.2.2 says in 5.4 (line breaks), 6.5 (folding), 7.3 (flow scalars)
// and 8.1 (block scalars).
func TestTextsAreWhatYAMLSays(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"a tab in a plain text", "k: the\tclaim holds\n", "the\tclaim holds"},
		{"tabs and spaces in a plain text", "k: a \t b\n", "a \t b"},
		{"a tab in double quotes", "k: \"the\tclaim\"\n", "the\tclaim"},
		{"a tab before the closing quote", "k: \"the\t\"\n", "the\t"},
		{"a tab after the opening quote", "k: \"\tclaim\"\n", "\tclaim"},
		{"a tab that is escaped by itself", "k: \"a\\\tb\"\n", "a\tb"},
		{"a tab that is written \\t", "k: \"a\\tb\"\n", "a\tb"},
		{"a tab in single quotes", "k: 'the\tclaim'\n", "the\tclaim"},
		{"a tab in a flow mapping", "x: {y: 1}\nk: a\tb\n", "a\tb"},
		{"a tab in a literal", "k: |\n  a\tb\n  \tc\n", "a\tb\n\tc\n"},
		{"a tab in a folded text", "k: >\n  a\tb\n  c\n", "a\tb c\n"},
		{"a tab between key and value", "k:\tvalue\n", "value"},
		{"a tab behind a value", "k: value\t\n", "value"},
		{"a tab before a comment", "k: value\t# not the claim\n", "value"},
		{"a tab after a colon inside of quotes", "k: \"a:\tb\"\n", "a:\tb"},
		{"a tab in a plain text of two lines", "k: a\tb\n  c\td\n", "a\tb c\td"},
		{"CRLF", "k: value\r\n", "value"},
		{"CRLF in a literal", "k: |\r\n  a\r\n  b\r\n", "a\nb\n"},
		{"CRLF in double quotes", "k: \"a\r\n  b\"\r\n", "a b"},
		{"spaces at the end of a literal's line", "k: |\n  a  \n  b\n", "a  \nb\n"},
		{"a literal that is stripped", "k: |-\n  a\n", "a"},
		{"a literal that is kept", "k: |+\n  a\n\n", "a\n\n"},
		{"a folded text with a paragraph", "k: >\n  a\n  b\n\n  c\n", "a b\nc\n"},
		{"a plain text with a paragraph", "k: a\n  b\n\n  c\n", "a b\nc"},
		{"a space that does not break", "k: \u00a0a\u00a0b\u00a0\n", "\u00a0a\u00a0b\u00a0"},
		{"a hash that is no comment", "k: a#b\n", "a#b"},
		{"a colon that is no mapping", "k: a:b\n", "a:b"},
		{"a date", "k: 2027-01-31\n", "2027-01-31"},
		{"minutes", "k: 1:30\n", "1:30"},
		{"no line break at the end", "k: a\tb", "a\tb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems, err := read(c.file)
			if err != nil || len(problems) > 0 || got != c.want {
				t.Errorf("got %q, %v, %v; want %q", got, problems, err, c.want)
			}
		})
	}
}

// What readers do not agree about has a place, and no value.
func TestWhatReadersDoNotAgreeAboutIsAProblemWithAPlace(t *testing.T) {
	for _, c := range []struct {
		file         string
		line, column int
	}{
		{"k: a\u2028b\n", 1, 5},
		{"x: 1\nk: a\u0085b\n", 2, 5},
		{"k: 0x10\n", 1, 4},
		{"k: 1_000\n", 1, 4},
		{"k: 012\n", 1, 4},
		{"k: [1, +5]\n", 1, 8},
		{"k: .inf\n", 1, 4},
		{"k: 0o14\n", 1, 4},
	} {
		_, problems, err := read(c.file)
		if err != nil || len(problems) != 1 || problems[0].Line != c.line || problems[0].Column != c.column || problems[0].Hint == "" {
			t.Errorf("%q: %+v, %v; want one problem at %d:%d", c.file, problems, err, c.line, c.column)
		}
	}
}

// FuzzQuotedTexts holds that a text in double quotes, or as a literal, is read
// as it is or is a problem.
func FuzzQuotedTexts(f *testing.F) {
	for _, s := range []string{"", "a\tb", "\t", " a ", "a:\tb #c", "a\nb", "\u00a0", "\u2028", "é\t", "{a}\t[b]", "\\", "'\"", "\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted, err := json.Marshal(s)
		var want string
		if err != nil || json.Unmarshal(quoted, &want) != nil {
			return
		}
		files := []string{"k: " + string(quoted) + "\n"}
		if !strings.Contains(want, `\`) {
			files = append(files, "k: "+strings.ReplaceAll(string(quoted), `\t`, "\t")+"\n")
		}
		for _, file := range files {
			if got, problems, err := read(file); err == nil && len(problems) == 0 && got != want {
				t.Errorf("%q was read as %q, want %q", file, got, want)
			}
		}
		if strings.ContainsAny(s, "\n\r\u0085\u2028\u2029") || strings.TrimSpace(s) != s || s == "" {
			return
		}
		file := "k: |-\n  " + s + "\n"
		if got, problems, err := read(file); err == nil && len(problems) == 0 && got != s {
			t.Errorf("%q was read as %q, want %q", file, got, s)
		}
	})
}

// FuzzAgree holds that no file brings the comparison down, and that what both
// read the first time they read again.
func FuzzAgree(f *testing.F) {
	for _, s := range []string{"k: a\tb", "? a\n: b", "&x a: *x", "a: !!str 1", "- - - x", "a: >\n \tx\n  y", "{a: [b, {c: d}]}", "--- a\n--- b", "%YAML 1.2\n---\na: b", "<<: {a: b}", "a: |2\n   x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, problems, err := read(s)
		if err != nil || len(problems) > 0 {
			return
		}
		if again, problems, err := read(s); again != first || err != nil || len(problems) > 0 {
			t.Errorf("%q: %q and then %q, %v, %v", s, first, again, problems, err)
		}
	})
}
