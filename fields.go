package mishap

import (
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
