package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
)

func TestStatementsOfTheSameActionsOrResourcesAreOne(t *testing.T) {
	tagged := map[string]map[string][]string{"StringEquals": {"aws:ResourceTag/mishap": {"allow"}}}
	got := merged([]mishap.Statement{
		{Actions: []string{"ec2:B", "ec2:A"}, Resources: []string{"*"}},
		{Actions: []string{"ec2:Stop"}, Resources: []string{"arn:2"}, Conditions: tagged},
		{Actions: []string{"ec2:A", "ec2:C"}, Resources: []string{"*"}},
		{Actions: []string{"ec2:Stop"}, Resources: []string{"arn:1", "arn:2"}, Conditions: tagged},
		{Actions: []string{"ec2:Stop"}, Resources: []string{"arn:3"}},
		{Actions: []string{"ec2:Nothing"}},
	})
	want := []mishap.Statement{
		{Actions: []string{"ec2:A", "ec2:B", "ec2:C"}, Resources: []string{"*"}},
		{Actions: []string{"ec2:Stop"}, Resources: []string{"arn:1", "arn:2"}, Conditions: tagged},
		{Actions: []string{"ec2:Stop"}, Resources: []string{"arn:3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
