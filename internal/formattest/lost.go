package formattest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// rules say how strictly JSON is compared with what it was.
type rules struct {
	prose    bool // texts for people may differ
	required bool // a schema may not require more
	shape    bool // values may differ, of whatever type they were
}

// lost lists what of before is not in now any more, each by its path. Objects
// may have more keys; lists may have more items, between those there were.
func (r rules) lost(path string, before, now any) []string {
	switch was := before.(type) {
	case map[string]any:
		is, ok := now.(map[string]any)
		if !ok {
			return changed(path, before, now)
		}
		var all []string
		for _, key := range slices.Sorted(maps.Keys(was)) {
			all = append(all, r.lostKey(path+"."+key, key, was, is)...)
		}
		return append(all, r.demanded(path, was, is)...)
	case []any:
		is, ok := now.([]any)
		if !ok {
			return changed(path, before, now)
		}
		return r.lostItems(path, was, is)
	}
	if r.shape && reflect.TypeOf(before) == reflect.TypeOf(now) {
		return nil
	}
	if !reflect.DeepEqual(before, now) {
		return changed(path, before, now)
	}
	return nil
}

func changed(path string, before, now any) []string {
	return []string{fmt.Sprintf("%s: it was %v, and is %v", path, before, now)}
}

func (r rules) lostKey(path, key string, was, is map[string]any) []string {
	value, there := is[key]
	if !there {
		return []string{path + ": it is gone"}
	}
	if r.prose && isProse(key, was[key]) && isProse(key, value) {
		return nil
	}
	return r.lost(path, was[key], value)
}

// isProse reports whether a value is written for people.
func isProse(key string, value any) bool {
	switch value.(type) {
	case string:
		return key == "description" || key == "doc" || key == "summary"
	case []any:
		return key == "notes"
	}
	return false
}

// lostItems looks for each item, in order.
func (r rules) lostItems(path string, was, is []any) []string {
	if len(was) == len(is) {
		var all []string
		for i := range was {
			all = append(all, r.lost(fmt.Sprintf("%s[%d]", path, i), was[i], is[i])...)
		}
		return all
	}
	next := 0
	for i, item := range was {
		found := slices.IndexFunc(is[next:], func(x any) bool { return r.lost("", item, x) == nil })
		if found < 0 {
			return []string{fmt.Sprintf("%s[%d]: it is gone or changed: %v", path, i, item)}
		}
		next += found + 1
	}
	return nil
}

// demanded lists what a schema requires now and did not.
func (r rules) demanded(path string, was, is map[string]any) []string {
	now, listed := is["required"].([]any)
	if !r.required || !listed {
		return nil
	}
	before, _ := was["required"].([]any)
	var all []string
	for _, key := range now {
		if !slices.Contains(before, key) {
			all = append(all, fmt.Sprintf("%s: %v is required, and was not", path, key))
		}
	}
	return all
}
