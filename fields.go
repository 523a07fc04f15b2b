package mishap

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// Field is one key of a catalog entry's parameters.
type Field struct {
	Name string // the key
	Doc  string // what it means
}

// Fields lists the keys of a params struct, in order, from its tags.
func Fields(params any) []Field {
	if params == nil {
		return nil
	}
	return fieldsOf(reflect.TypeOf(params))
}

func fieldsOf(t reflect.Type) []Field {
	var all []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			all = append(all, fieldsOf(f.Type)...)
		case f.IsExported() && name != "" && name != "-":
			all = append(all, Field{Name: name, Doc: f.Tag.Get("jsonschema")})
		}
	}
	return all
}

// Example shows how a value of a type is written behind its key, such as
// "tags: {NAME: VALUE}"; behind the key "-" it is one of a list. What is written in
// capitals is to be chosen. It is empty for numbers, for types of a form of their own,
// which [Wanted] shows, and for types that only they know how to read.
func Example(key string, t reflect.Type) string {
	value := exampleOf(t, 0)
	if _, _, formed := formOf(t); formed { // what is wanted shows one
		return ""
	}
	switch {
	case value == "" || value[0] >= '0' && value[0] <= '9': // a number needs none
		return ""
	case key == "-":
		return "- " + value
	}
	return key + ": " + value
}

// deepExample is how deep an example goes: it is one line.
const deepExample = 2

func exampleOf(t reflect.Type, depth int) string {
	_, form, formed := formOf(t)
	switch {
	case formed:
		return form
	case t == reflect.TypeFor[json.RawMessage]():
		return "{NAME: VALUE}"
	case t == reflect.TypeFor[ArmsFrom]():
		return string(ArmsFromRequests)
	case t == reflect.TypeFor[MetricKind]():
		return string(SuccessRate)
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()), reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		return exampleOf(t.Elem(), depth)
	case reflect.Bool:
		return "true"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint64:
		return "1"
	case reflect.Float64:
		return "0.5"
	case reflect.String:
		return "TEXT"
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return "{NAME: VALUE}"
		}
		return "{NAME: " + orEllipsis(exampleOf(t.Elem(), depth+1)) + "}"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "[ONE, TWO]"
		}
		return "[" + orEllipsis(exampleOf(t.Elem(), depth+1)) + "]"
	case reflect.Struct:
		if depth > deepExample {
			return "{…}"
		}
		return exampleStruct(t, depth)
	}
	return ""
}

// exampleStruct has the keys that a struct must have; else its first two.
func exampleStruct(t reflect.Type, depth int) string {
	var must, may []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		one := name + ": " + orEllipsis(exampleOf(f.Type, depth+1))
		if options == "" {
			must = append(must, one)
		} else if len(may) < 2 {
			may = append(may, one)
		}
	}
	if must == nil {
		must = may
	}
	return "{" + strings.Join(must, ", ") + "}"
}

func orEllipsis(text string) string {
	if text == "" {
		return "…"
	}
	return text
}
