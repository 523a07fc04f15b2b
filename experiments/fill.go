package experiments

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"mishap"
)

// fill reads n into v and reports everything that does not fit, at its
// position. A node that does not fit is marked, so that nothing else is said
// about it.
func (f *file) fill(n *node, v reflect.Value) {
	if n.shape == broken {
		return
	}
	if d, ok := v.Addr().Interface().(withDefaults); ok {
		d.setDefaults()
	}
	switch into := v.Addr().Interface().(type) {
	case *json.RawMessage:
		if n.shape != mapping {
			f.misfit(n, "a mapping of keys to values", v)
		} else if !n.hasBroken() {
			*into = n.json()
		}
		return
	case encoding.TextUnmarshaler:
		f.fillText(n, v, into)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(n, v.Elem())
	case reflect.Struct:
		f.fillStruct(n, v)
	case reflect.Slice:
		f.fillList(n, v)
	case reflect.Map:
		f.fillMap(n, v)
	default:
		f.fillScalar(n, v)
	}
}

func (f *file) fillStruct(n *node, v reflect.Value) {
	if n.shape != mapping {
		f.misfit(n, "a mapping of keys to values", v)
		return
	}
	fields, required := keysOf(v)
	f.respell(n, slices.Sorted(maps.Keys(fields)))
	for _, p := range n.pairs {
		if field, known := fields[p.key]; known {
			f.fill(p.value, field)
		}
	}
	var missing []string
	for _, key := range required {
		if n.get(key) == nil {
			missing = append(missing, key)
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		f.add(n.line, n.column, missing[0]+" is missing", missing[0]+": "+meaning(v.Type(), missing[0]))
	default:
		f.add(n.line, n.column, strings.Join(missing, ", ")+" are missing", "")
	}
}

// respell reports the keys of n that are unknown. One that is misspelt becomes what
// was meant, so that nothing is said to be missing, and what it says is checked too.
func (f *file) respell(n *node, known []string) {
	for i := range n.pairs {
		p := &n.pairs[i]
		if slices.Contains(known, p.key) {
			continue
		}
		f.add(p.line, p.column, fmt.Sprintf("unknown key %q", p.key), mishap.Suggest(p.key, known))
		if meant := mishap.Meant(p.key, known); n.get(meant) == nil && meant != "" {
			p.key, p.value.key = meant, meant
		}
	}
}

// meaning returns what the form says about a key.
func meaning(form reflect.Type, key string) string {
	for i := range form.NumField() {
		if name, _, _ := strings.Cut(form.Field(i).Tag.Get("json"), ","); name == key {
			return form.Field(i).Tag.Get("jsonschema")
		}
	}
	return ""
}

// meaningOf is what the form says about a key.
func meaningOf[form any](key string) string { return meaning(reflect.TypeFor[form](), key) }

// keysOf returns the fields of a form by key, and the keys that it must have
// in their order.
func keysOf(v reflect.Value) (fields map[string]reflect.Value, required []string) {
	fields = map[string]reflect.Value{}
	for i := range v.NumField() {
		key, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fields[key] = v.Field(i)
		if options == "" {
			required = append(required, key)
		}
	}
	return fields, required
}

func (f *file) fillList(n *node, v reflect.Value) {
	if n.shape != list {
		f.misfit(n, "a list", v)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		f.fill(item, out.Index(i))
	}
	v.Set(out)
}

func (f *file) fillMap(n *node, v reflect.Value) {
	if n.shape != mapping {
		f.misfit(n, "a mapping of keys to values", v)
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, p := range n.pairs {
		value := reflect.New(v.Type().Elem()).Elem()
		f.fill(p.value, value)
		out.SetMapIndex(reflect.ValueOf(p.key), value)
	}
	v.Set(out)
}

func (f *file) fillText(n *node, v reflect.Value, into encoding.TextUnmarshaler) {
	plain := n.shape == number && (v.Type() == reflect.TypeFor[marginText]() || v.Type() == reflect.TypeFor[mishap.StatusSet]()) // of a gauge; one code
	if n.shape != text && !plain {
		f.misfit(n, mishap.Wanted(v.Type()), v)
		return
	}
	if err := into.UnmarshalText([]byte(n.value)); err != nil {
		f.reject(n, err.Error(), "")
	}
}

func (f *file) fillScalar(n *node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		switch n.shape {
		case text:
			v.SetString(n.value)
		case number, boolean:
			f.reject(n, fmt.Sprintf("must be a text, not %s", n.value), fmt.Sprintf("quote it: %q", n.value))
		default:
			f.misfit(n, "a text", v)
		}
	case reflect.Int:
		i, err := strconv.ParseInt(n.value, 10, 32)
		if n.shape != number || err != nil {
			f.misfit(n, "a whole number", v)
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		x, err := strconv.ParseFloat(n.value, 64)
		if n.shape != number || err != nil {
			f.misfit(n, "a number", v)
			return
		}
		v.SetFloat(x)
	}
}

// misfit reports that n is not what is wanted, and shows an example of what v takes.
func (f *file) misfit(n *node, wanted string, v reflect.Value) {
	is := string(n.shape)
	switch n.shape {
	case text:
		is = fmt.Sprintf("the text %q", shorten(n.value))
	case number, boolean:
		is = n.value
	}
	hint := ""
	if example := mishap.Example(n.key, v.Type()); n.key != "" && example != "" {
		hint = "such as " + example
	}
	f.reject(n, fmt.Sprintf("must be %s, not %s", wanted, is), hint)
}

// reject reports a problem with n and marks it.
func (f *file) reject(n *node, msg, hint string) {
	f.add(n.line, n.column, msg, hint)
	n.shape = broken
}

// shorten returns the beginning of a long text.
func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
