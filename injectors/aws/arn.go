package aws

import (
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"mishap/internal/cloud"
)

// fill puts a place and an id into the pattern of an ARN.
func fill(pattern, account, region, id string) string {
	return strings.NewReplacer("{partition}", cloud.Partition(region), "{account}", account, "{region}", region, "{id}", id).Replace(pattern)
}

// named is what an ARN of this fault's things says: its id, and where it is. An ARN
// of something else is none.
func (a about) named(text string) (id, account, region string, ok bool) {
	parsed, err := arn.Parse(text)
	if err != nil {
		return "", "", "", false
	}
	found := a.shaped().shape.compiled().FindStringSubmatch(text)
	if found == nil || !a.id.MatchString(found[1]) {
		return "", "", "", false
	}
	return found[1], parsed.AccountID, parsed.Region, true
}

// pattern is a regular expression that is compiled when it is first asked: a program
// that begins, or a keeper that waits, needs none of all faults.
type pattern struct {
	text string
	once sync.Once
	made *regexp.Regexp
}

// like is the pattern of a text.
func like(text string) *pattern { return &pattern{text: text} }

// MatchString says whether a text is like it.
func (p *pattern) MatchString(text string) bool { return p.compiled().MatchString(text) }

func (p *pattern) compiled() *regexp.Regexp {
	p.once.Do(func() { p.made = regexp.MustCompile(p.text) })
	return p.made
}

// shaped knows what its ARNs look like: who asks about many of them makes it once.
func (a about) shaped() about {
	if a.shape == nil {
		a.shape = shape(a.arn, a.paths)
	}
	return a
}

// shape is what the ARNs of a fault's things look like; its group is the id. What
// stands behind more than that is something else: the version of a function, the
// index of a table, an object of a bucket. Only where ids have paths may one precede it.
func shape(arn string, paths bool) *pattern {
	text := regexp.QuoteMeta(arn)
	for _, field := range []string{"partition", "account", "region"} {
		text = strings.ReplaceAll(text, `\{`+field+`\}`, `[^:]*`)
	}
	text = strings.ReplaceAll(text, `\*`, `[^:]*`)
	id := `([^:]+)` // of some kinds with "/" in it
	if paths {
		id = `(?:[^:]*/)?([^/:]+)`
	}
	return like("^" + strings.ReplaceAll(text, `\{id\}`, id) + "$")
}
