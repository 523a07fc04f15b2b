package experiments

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"mishap"
)

// place is where a path ends in a tree: at a value, or at the last part of
// the path that exists.
type place struct {
	line, column       int // of the value
	keyLine, keyColumn int
	reported           bool // something on the way was reported already
	found              bool // the whole path exists
}

// locate follows a path such as "with.headers[0].name" from n. Keys may hold
// dots: the longest key that fits is taken.
func locate(n *node, path string) place {
	at := place{line: n.line, column: n.column, keyLine: n.line, keyColumn: n.column, reported: n.shape == broken}
	for path != "" {
		next, key, rest := step(n, path)
		if next == nil {
			return at
		}
		n, path = next, rest
		at.line, at.column = n.line, n.column
		at.keyLine, at.keyColumn = n.line, n.column
		if key != nil {
			at.keyLine, at.keyColumn = key.line, key.column
		}
		at.reported = at.reported || n.shape == broken
	}
	at.found = true
	return at
}

// step takes the first key or index off path.
func step(n *node, path string) (next *node, key *pair, rest string) {
	path = strings.TrimPrefix(path, ".")
	if index, after, ok := strings.Cut(strings.TrimPrefix(path, "["), "]"); ok && path[0] == '[' {
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(n.items) {
			return nil, nil, ""
		}
		return n.items[i], nil, after
	}
	for i := range n.pairs {
		p := &n.pairs[i]
		after, ok := strings.CutPrefix(path, p.key)
		if ok && (after == "" || after[0] == '.' || after[0] == '[') && (key == nil || len(p.key) > len(key.key)) {
			next, key, rest = p.value, p, after
		}
	}
	return next, key, rest
}

// complain reports a problem with the value at path below n, unless something
// was said about that value before. A value that is not there is reported
// where it would be.
func (f *file) complain(n *node, path, msg, hint string) {
	if at := locate(n, path); !at.reported {
		f.add(at.line, at.column, msg, hint)
	}
}

// complainErr reports what the code of a catalog says about the item n: one
// problem for each [*mishap.FieldError] in err, a warning for each
// [*mishap.Warning], and a problem for anything else.
func (f *file) complainErr(n *node, err error) {
	for _, err := range flatten(err) {
		var hinted *mishap.Hinted
		hint := ""
		if errors.As(err, &hinted) {
			hint = hinted.Hint
		}
		var field *mishap.FieldError
		if !errors.As(err, &field) {
			f.complain(n, "", err.Error(), hint)
			continue
		}
		if field.Hint != "" {
			hint = field.Hint
		}
		at := locate(n, field.Path)
		if at.reported {
			continue
		}
		line, column := at.line, at.column
		if !at.found || strings.HasPrefix(field.Msg, "unknown key") {
			line, column = at.keyLine, at.keyColumn
		}
		if field.Secret {
			f.hide(at.line, at.column)
		}
		if isWarning(err) {
			f.warn(line, column, field.Error(), hint)
			continue
		}
		f.add(line, column, field.Error(), hint)
	}
}

func isWarning(err error) bool {
	_, ok := err.(*mishap.Warning)
	return ok
}

// flatten returns the errors that err joins, however deep.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	// A wrapper around joined errors says nothing that their paths do not.
	if inner := errors.Unwrap(err); inner != nil {
		if parts := flatten(inner); len(parts) > 1 || slices.ContainsFunc(parts, isField) && !isField(err) {
			return parts
		}
	}
	return []error{err}
}

func isField(err error) bool {
	_, ok := err.(*mishap.FieldError)
	return ok || isWarning(err)
}
