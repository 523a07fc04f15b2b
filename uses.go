package mishap

import (
	"reflect"
	"slices"
)

// Uses is what a part of an experiment starts, reads and reaches beyond mishap
// itself, computed from its parameters as its kind has decoded them. Policies ask
// this and never read the parameters themselves: a second reader would one day
// read them differently.
//
// A kind whose Uses is nil has declared nothing, and is refused where a policy
// holds.
type Uses struct {
	Commands []Command
	Env      []string // variables that are looked up
	Files    []string // paths that are read
	Hosts    []string // host:port that is connected to; one that a secret names is not known before it is dialled
}

// Command is one that is started.
type Command struct {
	Program string   // a name that PATH finds, or a path
	Dir     string   // folder that it runs in, which a relative path with a slash is meant in; empty: mishap's own
	Shell   string   // text that /bin/sh is given, instead of Program
	Env     []string // names of the variables that are set for it
}

// And is both uses together.
func (u Uses) And(v Uses) Uses {
	return Uses{
		Commands: slices.Concat(u.Commands, v.Commands), Env: slices.Concat(u.Env, v.Env),
		Files: slices.Concat(u.Files, v.Files), Hosts: slices.Concat(u.Hosts, v.Hosts),
	}
}

// UsesOf finds the secrets in decoded values, wherever they are: they are looked
// up in the environment or in files. A kind adds what else it uses.
func UsesOf(decoded ...any) (u Uses) {
	kinds := secretKinds{}
	for _, value := range decoded {
		kinds.find(reflect.ValueOf(value), &u)
	}
	return u
}

// secretKinds remembers which types can hold a secret.
type secretKinds map[reflect.Type]bool

func (k secretKinds) find(v reflect.Value, u *Uses) {
	if !v.IsValid() || !k.canHold(v.Type()) {
		return
	}
	if v.Type() == reflect.TypeFor[Secret]() { // its fields are read one by one, because it may be in a field that is not exported
		if name := v.FieldByName("Env").String(); name != "" {
			u.Env = append(u.Env, name)
		}
		if path := v.FieldByName("File").String(); path != "" {
			u.Files = append(u.Files, path)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			k.find(v.Field(i), u)
		}
	case reflect.Pointer, reflect.Interface:
		k.find(v.Elem(), u)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			k.find(v.Index(i), u)
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			k.find(entry.Key(), u)
			k.find(entry.Value(), u)
		}
	}
}

// canHold reports whether a value of the type can hold a secret.
func (k secretKinds) canHold(t reflect.Type) bool {
	if t == reflect.TypeFor[Secret]() {
		return true
	}
	if can, known := k[t]; known {
		return can
	}
	k[t] = false // while it is looked at: a type that holds itself holds nothing by that
	can := false
	switch t.Kind() {
	case reflect.Interface:
		can = true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		can = k.canHold(t.Elem())
	case reflect.Map:
		can = k.canHold(t.Key()) || k.canHold(t.Elem())
	case reflect.Struct:
		for i := 0; i < t.NumField() && !can; i++ {
			can = k.canHold(t.Field(i).Type)
		}
	}
	k[t] = can
	return can
}
