package awsfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mishap/internal/awsfake/policy"
)

// Kind is a kind of resource: what its ARN is like. {id} is what tells one from
// another of the same place.
type Kind string

// ARN is that of a resource.
func (k Kind) ARN(p Place, id string) string {
	of := strings.ReplaceAll(strings.ReplaceAll(string(k), "{region}", p.Region), "{account}", p.Account)
	return strings.ReplaceAll(of, "{id}", id)
}

// history is what a resource was, and is.
type history struct {
	kind     Kind
	place    Place
	arn, id  string
	order    int
	versions []version
}

// version is what a resource is from a time on; without a document it is not.
type version struct {
	from time.Time
	doc  Doc
}

// event is something that will happen by itself.
type event struct {
	at time.Time
	do func()
}

type staleRule struct {
	pattern string
	past    time.Duration
}

// SetStale says how long reads of the resources show the past: those whose ARN
// is like a pattern, in which * is any text.
func (c *Cloud) SetStale(d time.Duration, patterns ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range patterns {
		c.stale = append(c.stale, staleRule{p, d})
	}
}

// Get is what a resource truly is, or nil.
func (c *Cloud) Get(p Place, k Kind, id string) Doc {
	defer c.lock()()
	return c.now(k.ARN(p, id)).Clone()
}

// All are the resources of a kind as they truly are, in the order they were made.
func (c *Cloud) All(p Place, k Kind) (all []Doc) {
	defer c.lock()()
	for _, d := range c.list(p, k, false) {
		all = append(all, d.Clone())
	}
	return all
}

// Put makes a resource, or replaces it, as if it had always been so.
func (c *Cloud) Put(p Place, k Kind, id string, d Doc) {
	defer c.lock()()
	c.plant(p, k, id, d.Clone())
}

// Edit changes a resource as somebody else would, which its group notices.
func (c *Cloud) Edit(p Place, k Kind, id string, change func(Doc)) {
	defer c.lock()()
	c.edit(k.ARN(p, id), change)
	c.noticed(k.ARN(p, id))
}

// Drop makes a resource vanish, which its group notices.
func (c *Cloud) Drop(p Place, k Kind, id string) {
	defer c.lock()()
	c.drop(k.ARN(p, id))
	c.noticed(k.ARN(p, id))
}

// Snapshot is all there truly is, or all of the kinds: a line each, without what
// differs each time: times, the order of lists, what groups remember of the past,
// and ids that are given anew whenever something is put back.
func (c *Cloud) Snapshot(kinds ...Kind) string {
	defer c.lock()()
	var lines []string
	for arn, h := range c.docs {
		if d := c.now(arn); d != nil && (len(kinds) == 0 || slices.Contains(kinds, h.kind)) {
			lines = append(lines, arn+" "+written(d))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// lasting leaves out what differs each time, the order of lists too, and what is
// empty.
func lasting(v any) any {
	switch v := v.(type) {
	case Doc:
		all := map[string]any{}
		for key, value := range v {
			_, isTime := value.(time.Time)
			if isTime || slices.Contains([]string{"networkAclAssociationId", "routeTableAssociationId", "RevisionId", "_turn", "_activities"}, key) {
				continue
			}
			if text := written(value); !slices.Contains([]string{`""`, "null", "[]", "{}"}, text) {
				all[key] = json.RawMessage(text)
			}
		}
		return all
	case []Doc:
		all := []string{}
		for _, one := range v {
			all = append(all, written(one))
		}
		slices.Sort(all)
		return json.RawMessage("[" + strings.Join(all, ",") + "]")
	case []string:
		return slices.Sorted(slices.Values(v))
	}
	return v
}

// written is what lasts of a value, as text.
func written(v any) string {
	text, err := json.Marshal(lasting(v))
	if err != nil {
		panic(fmt.Sprintf("write %v: %v", v, err)) // which could not be sent either
	}
	return string(text)
}

// lock also lets happen what is due.
func (c *Cloud) lock() (unlock func()) {
	c.mu.Lock()
	c.advance()
	return c.mu.Unlock
}

// advance lets happen what is due, each thing at its time.
func (c *Cloud) advance() {
	now := c.Now()
	for len(c.due) > 0 && !c.due[0].at.After(now) {
		next := c.due[0]
		c.due, c.at = c.due[1:], next.at
		next.do()
	}
	c.at = now
}

// after lets something happen later, after all that is due until then.
func (c *Cloud) after(d time.Duration, do func()) {
	e := event{c.at.Add(d), do}
	i, _ := slices.BinarySearchFunc(c.due, e, func(a, b event) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1
	})
	c.due = slices.Insert(c.due, i, e)
}

// fresh makes an id that was not used before.
func (c *Cloud) fresh(prefix string) string {
	c.ids++
	return fmt.Sprintf("%s-%017x", prefix, c.ids)
}

// now is what the resource is.
func (c *Cloud) now(arn string) Doc {
	if h := c.docs[arn]; h != nil {
		return h.versions[len(h.versions)-1].doc
	}
	return nil
}

// seen is what a reader is told of the resource.
func (c *Cloud) seen(arn string) Doc {
	h := c.docs[arn]
	if h == nil {
		return nil
	}
	stale := c.Stale
	for _, r := range c.stale {
		if policy.Like(r.pattern, arn) {
			stale = r.past
		}
	}
	for _, v := range slices.Backward(h.versions) {
		if !v.from.After(c.at.Add(-stale)) {
			return v.doc
		}
	}
	return nil
}

// list is all of a kind, as it is or as it is seen.
func (c *Cloud) list(p Place, k Kind, seen bool) (all []Doc) {
	var found []*history
	for _, h := range c.docs {
		if h.kind == k && h.place == p {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(a, b *history) int { return a.order - b.order })
	for _, h := range found {
		d := c.now(h.arn)
		if seen {
			d = c.seen(h.arn)
		}
		if d != nil {
			all = append(all, d)
		}
	}
	return all
}

// plant puts a resource that readers see at once.
func (c *Cloud) plant(p Place, k Kind, id string, d Doc) string {
	arn := c.put(p, k, id, d)
	c.docs[arn].versions = []version{{doc: d}}
	return arn
}

// put writes a version of a resource.
func (c *Cloud) put(p Place, k Kind, id string, d Doc) string {
	arn := k.ARN(p, id)
	if d["_arn"] = arn; d["_id"] == nil {
		d["_id"] = id
	}
	if c.docs[arn] == nil {
		c.docs[arn] = &history{kind: k, place: p, arn: arn, id: id, order: len(c.docs)}
	}
	c.write(arn, d)
	return arn
}

func (c *Cloud) write(arn string, d Doc) {
	h := c.docs[arn]
	h.versions = append(h.versions, version{c.at, d})
	if len(h.versions) > 64 {
		h.versions = slices.Delete(h.versions, 0, 32)
	}
}

// edit changes a resource, if there is one.
func (c *Cloud) edit(arn string, change func(Doc)) {
	if d := c.now(arn); d != nil {
		d = d.Clone()
		change(d)
		c.write(arn, d)
	}
}

func (c *Cloud) drop(arn string) {
	if c.now(arn) != nil {
		c.write(arn, nil)
	}
}

// tags of a resource.
func tags(d Doc) map[string]string { return d.Map("_tags") }

// retag changes the tags of a document.
func retag(d Doc, add map[string]string, remove ...string) {
	all := tags(d)
	maps.Copy(all, add)
	for _, key := range remove {
		delete(all, key)
	}
	d["_tags"] = all
}

// pairs are tags as lists have them.
func pairs(of map[string]string, key, value string) []Doc {
	all := []Doc{}
	for _, k := range slices.Sorted(maps.Keys(of)) {
		all = append(all, Doc{key: k, value: of[k]})
	}
	return all
}

// unpaired are tags as lists had them.
func unpaired(list []Doc, key, value string) map[string]string {
	all := map[string]string{}
	for _, one := range list {
		all[one.Str(key)] = one.Str(value)
	}
	return all
}
