package aws

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"mishap/internal/cloud"
)

// findingTagged is what [about.tagged] needs to be allowed.
const findingTagged = "tag:GetResources"

const taggedPerCall = 100 // ARNs that a call takes at most

// tagged lists what may be meant of a type of resources, such as "lambda:function",
// for all services whose own calls do not find by tags: what carries the tags, or
// what is named. Of that nobody has asked yet whether it is there.
func (a about) tagged(ctx context.Context, c aws.Config, t targets, kind string) (found []thing, err error) {
	a = a.shaped()
	names := t.IDs
	if len(names) == 0 {
		names = t.Names
	}
	if len(names) == 0 {
		input := &tagging.GetResourcesInput{ResourceTypeFilters: []string{kind}}
		if t.Stack != "" {
			input.TagFilters = append(input.TagFilters, types.TagFilter{Key: aws.String(stackTag), Values: []string{t.Stack}})
		}
		for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
			input.TagFilters = append(input.TagFilters, types.TagFilter{Key: aws.String(key), Values: []string{t.Tags[key]}})
		}
		tags, err := getResources(ctx, c, input)
		for _, arn := range slices.Sorted(maps.Keys(tags)) {
			if id, _, _, ok := a.named(arn); ok {
				found = append(found, thing{id: id, name: id, arn: arn, tags: tags[arn]})
			}
		}
		return found, err
	}
	for some := range slices.Chunk(names, taggedPerCall) {
		var arns []string
		for _, name := range some {
			arns = append(arns, fill(a.arn, t.Account, t.Region, name))
		}
		tags, err := getResources(ctx, c, &tagging.GetResourcesInput{ResourceARNList: arns})
		if err != nil {
			return nil, err
		}
		for i, name := range some {
			found = append(found, thing{id: name, name: name, arn: arns[i], tags: tags[arns[i]]})
		}
	}
	return found, nil
}

// getResources lists all pages, by ARN.
func getResources(ctx context.Context, c aws.Config, input *tagging.GetResourcesInput) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for {
		page, err := tagging.NewFromConfig(c).GetResources(ctx, input)
		if err != nil {
			return nil, cloud.Failed("find "+strings.Join(input.ResourceTypeFilters, ", ")+" by tags", err)
		}
		for _, r := range page.ResourceTagMappingList {
			tags := map[string]string{}
			for _, t := range r.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			all[aws.ToString(r.ResourceARN)] = tags
		}
		if input.PaginationToken = page.PaginationToken; aws.ToString(page.PaginationToken) == "" {
			return all, nil
		}
	}
}

// lookedAt looks at what was found, several at once, and leaves out what is gone.
func lookedAt(found []thing, err error, see func(*thing) error) ([]thing, error) {
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(found))
	concurrently(len(found), func(i int) { errs[i] = see(&found[i]) })
	return slices.DeleteFunc(found, func(one thing) bool { return one.now.status == gone }), errors.Join(errs...)
}
