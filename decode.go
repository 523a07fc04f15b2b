package mishap

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Decode reads raw into the struct that into points to, and reports every
// problem at once as joined [*FieldError] values with paths below path: keys
// that the struct does not have, with the nearest one that it has, and values
// of the wrong type. A misspelt key is read as the nearest one if that is absent, so
// that nobody misses what it says. Absent keys keep what into held, so that defaults are set
// before. Keys match exactly. A number whose type is any stays as it was written,
// a [json.Number].
func Decode(path string, raw json.RawMessage, into any) error {
	if len(bytes.TrimSpace(raw)) == 0 || string(raw) == "null" {
		return nil
	}
	return decodeValue(path, raw, reflect.ValueOf(into).Elem())
}

func decodeValue(path string, raw json.RawMessage, v reflect.Value) error {
	if ownDecoding(v) {
		return decodeLeaf(path, raw, v)
	}
	switch v.Kind() {
	case reflect.Struct:
		return decodeStruct(path, raw, v)
	case reflect.Pointer:
		into := v
		if v.IsNil() {
			into = reflect.New(v.Type().Elem())
		}
		err := decodeValue(path, raw, into.Elem())
		if err == nil { // a value that cannot be read is as good as absent
			v.Set(into)
		}
		return err
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return decodeSlice(path, raw, v)
		}
	}
	return decodeLeaf(path, raw, v)
}

func decodeStruct(path string, raw json.RawMessage, v reflect.Value) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return &FieldError{Path: path, Msg: fmt.Sprintf("must be a mapping of keys to values, not %s", jsonKind(raw)), Hint: such(path, v.Type())}
	}
	fields := jsonFields(v)
	known := slices.Sorted(maps.Keys(fields))
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := join(path, key)
		field, ok := fields[key]
		if !ok {
			problems = append(problems, &FieldError{Path: at, Msg: fmt.Sprintf("unknown key %q", key), Hint: Suggest(key, known)})
			meant := Meant(key, known)
			if _, given := keys[meant]; given || meant == "" {
				continue
			}
			field = fields[meant]
		}
		problems = append(problems, decodeValue(at, keys[key], field))
	}
	return errors.Join(problems...)
}

func decodeSlice(path string, raw json.RawMessage, v reflect.Value) error {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return &FieldError{Path: path, Msg: fmt.Sprintf("must be a list, not %s", jsonKind(raw)), Hint: such(path, v.Type())}
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	var problems []error
	for i, item := range items {
		problems = append(problems, decodeValue(fmt.Sprintf("%s[%d]", path, i), item, out.Index(i)))
	}
	v.Set(out)
	return errors.Join(problems...)
}

func decodeLeaf(path string, raw json.RawMessage, v reflect.Value) error {
	err := DecodeNumbers(raw, v.Addr().Interface())
	if err == nil {
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &FieldError{Path: path, Msg: fmt.Sprintf("must be %s, not %s", Wanted(v.Type()), jsonKind(raw)), Hint: such(path, v.Type())}
	}
	return &FieldError{Path: path, Msg: err.Error()}
}

// such is a hint with an example of what is right at a path.
func such(path string, t reflect.Type) string {
	key := path[strings.LastIndex(path, ".")+1:]
	if strings.HasSuffix(key, "]") {
		key = "-"
	}
	if example := Example(key, t); example != "" {
		return "such as " + example
	}
	return ""
}

// ownDecoding reports whether v's type reads itself.
func ownDecoding(v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return true
	}
	return false
}

// jsonFields maps the JSON names of a struct to its fields; embedded structs
// without a name count as the struct's own.
func jsonFields(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			maps.Copy(fields, jsonFields(v.Field(i)))
		case !f.IsExported() || name == "-":
		case name == "":
			fields[f.Name] = v.Field(i)
		default:
			fields[name] = v.Field(i)
		}
	}
	return fields
}

// Wanted says what a value of a type must be: "a duration like 300ms".
func Wanted(t reflect.Type) string {
	if name, example, ok := formOf(t); ok {
		return name + " like " + example
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Map, reflect.Struct:
		return "a mapping of keys to values"
	case reflect.Slice, reflect.Array:
		return "a list"
	default:
		return "a text"
	}
}

func jsonKind(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "nothing"
	case raw[0] == '{':
		return "a mapping"
	case raw[0] == '[':
		return "a list"
	case raw[0] == '"':
		return "the text " + string(raw)
	default:
		return string(raw)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Meant is the known word nearest to the one given; empty if none is near.
func Meant(word string, known []string) string {
	best, at := len(word)/2+1, ""
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < best {
			best, at = d, k
		}
	}
	return at
}

// Nearest returns "did you mean …?" for the word that is [Meant]; nothing if none is.
func Nearest(word string, known []string) string {
	if at := Meant(word, known); at != "" {
		return fmt.Sprintf("did you mean %q?", at)
	}
	return ""
}

// Suggest is [Nearest], or the list of known words if none is near.
func Suggest(word string, known []string) string {
	near := Nearest(word, known)
	switch {
	case near != "":
		return near
	case len(known) == 0:
		return ""
	default:
		return "known: " + strings.Join(known, ", ")
	}
}

// distance is the fewest single-letter edits and swaps of neighbours that turn a
// into b: the optimal string alignment distance.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(next[j]+1, row[j+1]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// WithProblems joins what [Decode] said with problems that a look at the values found, without
// those of values that could not be read: they hold what nobody wrote.
func WithProblems(misread error, found ...error) error {
	unread := map[string]bool{}
	for _, one := range leaves(misread) {
		if e, ok := one.(*FieldError); ok {
			unread[e.Path] = true
		}
	}
	all := []error{misread}
	for _, one := range leaves(errors.Join(found...)) {
		if e, ok := one.(*FieldError); !ok || !unread[e.Path] {
			all = append(all, one)
		}
	}
	return errors.Join(all...)
}

// leaves are the errors that are joined in err.
func leaves(err error) (all []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		all = append(all, leaves(one)...)
	}
	return all
}
