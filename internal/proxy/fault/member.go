package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// member is one of a JSON document by the names that lead to it, and its value as text; any is every value but null.
type member struct {
	path  []string
	value string
	any   bool
}

func membersOf(all map[string]string) (list []member) {
	for _, path := range sorted(all) {
		list = append(list, member{strings.Split(path, "."), all[path], all[path] == "*"})
	}
	return list
}

// hasMember says whether a document has one of the members, or one of several that follow each other. Of a document that is
// cut or malformed, what is there counts, and if that has none it is not known; text that is no JSON has none. Elements of
// arrays go by their number, from 0 on.
func hasMember(content []byte, want []member) (has, known bool) {
	if len(want) == 0 {
		return false, true
	}
	content = bytes.TrimLeft(bytes.TrimPrefix(content, []byte("\ufeff")), " \t\r\n")
	if len(content) == 0 || !strings.ContainsRune("{[", rune(content[0])) {
		return false, true
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	w := walker{decoder: d, want: want}
	for !w.over && d.More() {
		if w.value() {
			return true, true
		}
	}
	_, err := d.Token()
	return false, !w.over && errors.Is(err, io.EOF)
}

// walker goes through a document, and stops at the first member that is wanted.
type walker struct {
	decoder *json.Decoder
	want    []member
	path    []string
	over    bool // the document is at its end, or malformed
}

// maxDepth is how deep a document is followed: nobody names a member below.
const maxDepth = 64

// value reads one value, and says whether it is one of those, or has one in it.
func (w *walker) value() bool {
	token, err := w.decoder.Token()
	if w.over = err != nil || len(w.path) > maxDepth; w.over {
		return false
	}
	open, nested := token.(json.Delim)
	if w.wanted(token, nested) {
		return true
	}
	if !nested {
		return false
	}
	for i := 0; !w.over && w.decoder.More(); i++ {
		name := strconv.Itoa(i)
		if open == '{' {
			key, err := w.decoder.Token()
			if w.over = err != nil; w.over {
				return false
			}
			name, _ = key.(string) // which it is
		}
		w.path = append(w.path, name)
		if w.value() {
			return true
		}
		w.path = w.path[:len(w.path)-1]
	}
	if !w.over {
		_, err = w.decoder.Token() // the end of it
		w.over = err != nil
	}
	return false
}

// wanted says whether a value at the path of the moment is one of those.
func (w *walker) wanted(token json.Token, nested bool) bool {
	for _, m := range w.want {
		if !slices.Equal(m.path, w.path) {
			continue
		}
		if m.any {
			if token != nil {
				return true
			}
			continue
		}
		if !nested && text(token) == m.value {
			return true
		}
	}
	return false
}

// text is a value as a file writes it.
func text(token json.Token) string {
	switch v := token.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return "null"
}

func sorted(all map[string]string) []string { return slices.Sorted(maps.Keys(all)) }
