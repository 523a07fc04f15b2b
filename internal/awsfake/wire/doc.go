// Package wire reads and writes what clients of AWS say, in all of its
// protocols, as documents.
package wire

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Doc is a document: what a call says, what it answers, or what a resource is.
// Keys that begin with "_" are not written.
type Doc map[string]any

// At is what is at a path of keys, like "instanceState.name".
func (d Doc) At(path string) any {
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return d[first]
	}
	return AsDoc(d[first]).At(rest)
}

// Str is the text at the path, or none.
func (d Doc) Str(path string) string { return text(d.At(path)) }

// Has says whether anything is at the path.
func (d Doc) Has(path string) bool { return d.At(path) != nil }

// Bool is whether the path says true.
func (d Doc) Bool(path string) bool { return d.Str(path) == "true" }

// Int is the number at the path, or what it is otherwise.
func (d Doc) Int(path string, otherwise int) int {
	if n, err := strconv.Atoi(d.Str(path)); err == nil {
		return n
	}
	return otherwise
}

// Time is the time at the path.
func (d Doc) Time(path string) time.Time {
	t, _ := d.At(path).(time.Time)
	return t
}

// Strs is the list of texts at the path.
func (d Doc) Strs(path string) (all []string) {
	for _, one := range items(d.At(path)) {
		all = append(all, text(one))
	}
	return all
}

// Docs is the list of documents at the path.
func (d Doc) Docs(path string) (all []Doc) {
	for _, one := range items(d.At(path)) {
		all = append(all, AsDoc(one))
	}
	return all
}

// Map is the texts at the path, by key.
func (d Doc) Map(path string) map[string]string {
	all := map[string]string{}
	if texts, is := d.At(path).(map[string]string); is {
		maps.Copy(all, texts)
	}
	for key, value := range AsDoc(d.At(path)) {
		all[key] = text(value)
	}
	return all
}

// Clone copies the document as deep as it goes.
func (d Doc) Clone() Doc { return AsDoc(clone(d)) }

func clone(v any) any {
	switch v := v.(type) {
	case Doc:
		c := make(Doc, len(v))
		for key, value := range v {
			c[key] = clone(value)
		}
		return c
	case map[string]any:
		return clone(Doc(v))
	case map[string]string:
		return maps.Clone(v)
	case []string:
		return slices.Clone(v)
	case []Doc:
		c := make([]Doc, len(v))
		for i, one := range v {
			c[i] = one.Clone()
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, one := range v {
			c[i] = clone(one)
		}
		return c
	}
	return v
}

// AsDoc is v, if it is a document.
func AsDoc(v any) Doc {
	switch v := v.(type) {
	case Doc:
		return v
	case map[string]any:
		return v
	}
	return nil
}

// items are the members of a list. Query protocols number them.
func items(v any) (all []any) {
	switch v := v.(type) {
	case []any:
		return v
	case []string:
		for _, one := range v {
			all = append(all, one)
		}
	case []Doc:
		for _, one := range v {
			all = append(all, one)
		}
	case Doc:
		if member, wrapped := v["member"]; wrapped && len(v) == 1 {
			return items(member)
		}
		keys := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			return x - y
		})
		for _, key := range keys {
			all = append(all, v[key])
		}
	}
	return all
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z")
	case []byte:
		return string(v)
	}
	return ""
}
