package catalog

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/metrics"
)

// taken is a struct that an entry of a catalog reads.
type taken struct {
	entry string
	keys  any
}

func allTaken() (all []taken) {
	c := New(Options{Settings: &config.Settings{}})
	for _, k := range c.Injectors() {
		all = append(all, taken{k.Name, k.Params}, taken{k.Name, k.Targets})
	}
	for _, k := range c.Probes() {
		all = append(all, taken{k.Name, k.Params}, taken{k.Name, k.Expect})
	}
	for _, k := range c.Safeguards() {
		all = append(all, taken{k.Name, k.Params})
	}
	for _, k := range metrics.Catalog(metrics.Deps{}) {
		all = append(all, taken{k.Name, k.Params})
	}
	return all
}

// eachField gives the fields of a struct with their keys, those of embedded ones too.
func eachField(t reflect.Type, f func(key string, field reflect.StructField)) {
	for i := range t.NumField() {
		field := t.Field(i)
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && key == "":
			eachField(field.Type, f)
		case field.IsExported() && key != "" && key != "-":
			f(key, field)
		}
	}
}

// inForm is the value of a type in a form of its own, or of what it points to or is a list of.
func inForm(t reflect.Type) (f mishap.Formed, list bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	f, ok := reflect.Zero(t).Interface().(mishap.Formed)
	if !ok && t.Kind() == reflect.Slice {
		f, _ = reflect.Zero(t.Elem()).Interface().(mishap.Formed)
		list = true
	}
	return f, list
}

func TestANumberWithoutItsUnitIsAnsweredWithWhatIsRight(t *testing.T) {
	checked := map[string]bool{}
	for _, taken := range allTaken() {
		if taken.keys == nil {
			continue
		}
		eachField(reflect.TypeOf(taken.keys), func(key string, field reflect.StructField) {
			form, list := inForm(field.Type)
			if form == nil {
				return
			}
			name, example := form.Form()
			checked[name] = true
			wrong := "2"
			if list {
				wrong = "[2]"
			}
			err := mishap.Decode("with", json.RawMessage(fmt.Sprintf(`{%q: %s}`, key, wrong)), reflect.New(reflect.TypeOf(taken.keys)).Interface())
			if want := fmt.Sprintf("must be %s like %s, not 2", name, example); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s: 2 is answered %v, want %q", taken.entry, key, err, want)
			}
		})
	}
	for _, name := range []string{"a duration", "a share", "a size", "a comparison", "a comparison with a duration", "a comparison with a rate", "hours"} {
		if !checked[name] {
			t.Errorf("no entry of a catalog takes %s any more: the others are %v", name, checked)
		}
	}
}

func TestWhatErrorsShowAsRightIsTaken(t *testing.T) {
	for _, taken := range allTaken() {
		if taken.keys == nil {
			continue
		}
		eachField(reflect.TypeOf(taken.keys), func(key string, field reflect.StructField) {
			if form, list := inForm(field.Type); form != nil && !list {
				_, example := form.Form()
				if !strings.HasPrefix(example, `"`) {
					example = fmt.Sprintf("%q", example)
				}
				example = strings.SplitAfter(example, `"`)[1]
				into := reflect.New(reflect.TypeOf(taken.keys))
				if err := mishap.Decode("with", json.RawMessage(fmt.Sprintf(`{%q: "%s}`, key, example)), into.Interface()); err != nil {
					t.Errorf("%s: %s: %s, which errors show, is refused: %v", taken.entry, key, example, err)
				}
			}
		})
	}
}

func TestEveryKeyWithAFormOfItsOwnSaysSo(t *testing.T) {
	text := reflect.TypeFor[encoding.TextUnmarshaler]()
	for _, taken := range allTaken() {
		if taken.keys == nil {
			continue
		}
		eachField(reflect.TypeOf(taken.keys), func(key string, field reflect.StructField) {
			doc := field.Tag.Get("jsonschema")
			one := field.Type
			if one.Kind() == reflect.Pointer {
				one = one.Elem()
			}
			reads := reflect.PointerTo(one).Implements(text) && !strings.Contains(doc, "regular expression")
			compares := one.Kind() == reflect.String && strings.HasPrefix(doc, "comparison")
			if form, _ := inForm(field.Type); form == nil && (reads || compares) {
				t.Errorf("%s: %s is read from a text of a form (%s), and its type %s has no Form: a number is answered with the wrong thing", taken.entry, key, doc, one)
			}
		})
	}
}
