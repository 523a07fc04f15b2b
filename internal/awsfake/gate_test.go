package awsfake_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"mishap/internal/awsfake"
)

// TestAGateLetsThroughWhatIsAllowedAndRefusesTheRestAsItsServiceDoes is before an AWS
// in memory, of which it knows nothing.
func TestAGateLetsThroughWhatIsAllowedAndRefusesTheRestAsItsServiceDoes(t *testing.T) {
	behind, before := awsfake.New(awsfake.Settings{}), awsfake.New(awsfake.Settings{})
	ids := behind.Launch(behind.Enter(one), 2, nil)
	server := httptest.NewServer(awsfake.Gate(before, behind, func(c awsfake.Call, n awsfake.Need) string {
		if strings.HasSuffix(n.Resource, ids[1]) || strings.HasSuffix(n.Resource, "parameter/theirs") {
			return "because no identity-based policy allows the " + n.Action + " action"
		}
		return ""
	}))
	defer server.Close()
	config := once(aws.Config{Region: one.Region, BaseEndpoint: aws.String(server.URL), Credentials: behind.Config(one.Account, one.Region).Credentials})
	if err := stop(t.Context(), ec2.NewFromConfig(config), ids[0]); err != nil {
		t.Error(err)
	}
	err := stop(t.Context(), ec2.NewFromConfig(config), ids[1])
	refused(t, "UnauthorizedOperation", err)
	if err == nil || !strings.Contains(err.Error(), "is not authorized to perform: ec2:StopInstances on resource: arn:aws:ec2:eu-west-1:111111111111:instance/"+ids[1]+" because no identity-based policy") {
		t.Error(err)
	}
	put := func(name string) error {
		_, err := ssm.NewFromConfig(config).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String(name), Value: aws.String("x"), Type: types.ParameterTypeString})
		return err
	}
	refused(t, "AccessDeniedException", put("/theirs"))
	if err := put("/ours"); err != nil || len(behind.Get(one, awsfake.Parameter, "/ours")) == 0 || len(behind.Get(one, awsfake.Parameter, "/theirs")) > 0 {
		t.Errorf("parameters are as they should not be: %v", err)
	}
	var errs []bool
	for _, c := range before.Calls() {
		errs = append(errs, c.Error != "")
	}
	if !slices.Equal(errs, []bool{false, true, true, false}) {
		t.Errorf("the gate remembers %v", before.Calls())
	}
}
