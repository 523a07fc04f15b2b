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
	found := shape(a.arn).FindStringSubmatch(text)
	if found == nil || !a.id.MatchString(found[1]) {
		return "", "", "", false
	}
	return found[1], parsed.AccountID, parsed.Region, true
}

var shapes sync.Map // of ARNs, by their patterns: there is one for each fault

// shape is what the ARNs of a pattern look like; its group is the id.
func shape(arn string) *regexp.Regexp {
	if made, is := shapes.Load(arn); is {
		return made.(*regexp.Regexp)
	}
	pattern := regexp.QuoteMeta(arn)
	for _, field := range []string{"partition", "account", "region"} {
		pattern = strings.ReplaceAll(pattern, `\{`+field+`\}`, `[^:]*`)
	}
	pattern = strings.ReplaceAll(pattern, `\*`, `[^:]*`)
	// A name may stand behind a path or an id of AWS's own.
	made := regexp.MustCompile("^" + strings.ReplaceAll(pattern, `\{id\}`, `.*?([^/:]+)`) + "$")
	shapes.Store(arn, made)
	return made
}
