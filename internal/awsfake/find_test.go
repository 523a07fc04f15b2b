package awsfake_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"mishap/internal/awsfake"
)

func TestResourcesOfAllServicesAreFoundByTheirTags(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		tags := map[string]string{"Role": "pay"}
		c.AddQueue(one, "orders", "", tags)
		c.AddQueue(one, "untagged", "", nil)
		c.AddQueue(other, "theirs", "", tags)
		c.AddBucket(one, "photos", "", tags)
		c.AddGroup(one, "web", 0, 0, 1, tags)
		id := c.Launch(one, 1, tags)[0]
		c.Launch(one, 120, map[string]string{"Role": "web"})
		client := resourcegroupstaggingapi.NewFromConfig(admin(c, one))
		find := func(kinds ...string) string {
			t.Helper()
			out, err := client.GetResources(t.Context(), &resourcegroupstaggingapi.GetResourcesInput{ResourceTypeFilters: kinds, TagFilters: []types.TagFilter{{Key: aws.String("Role"), Values: []string{"pay"}}}})
			if err != nil {
				t.Fatal(err)
			}
			found := []string{}
			for _, r := range out.ResourceTagMappingList {
				found = append(found, *r.ResourceARN)
			}
			return fmt.Sprint(found)
		}
		wants(t, "all", find(), fmt.Sprint([]string{"arn:aws:sqs:eu-west-1:111111111111:orders", "arn:aws:s3:::photos", awsfake.Group.ARN(one, "web"), awsfake.Instance.ARN(one, id)}))
		wants(t, "of a type", find("ec2:instance"), "["+awsfake.Instance.ARN(one, id)+"]")
		wants(t, "of a service", find("sqs", "s3"), "[arn:aws:sqs:eu-west-1:111111111111:orders arn:aws:s3:::photos]")
		n := 0
		for p := resourcegroupstaggingapi.NewGetResourcesPaginator(client, &resourcegroupstaggingapi.GetResourcesInput{}); p.HasMorePages(); {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.ResourceTagMappingList)
		}
		wants(t, "in pages", n, 124)
	})
}

func TestResourcesAreFoundByTheirStackAndTheirGroup(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		id, arn := c.Launch(one, 1, nil)[0], c.AddFunction(one, "pay", nil)
		url := c.AddQueue(one, "orders", "", nil)
		members := []string{awsfake.Instance.ARN(one, id), arn, awsfake.Queue.ARN(one, "orders")}
		c.AddStack(one, "shop", members...)
		c.AddResourceGroup(one, "payments", members...)
		stacks := cloudformation.NewFromConfig(admin(c, one))
		out, err := stacks.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String("shop")})
		if err != nil {
			t.Fatal(err)
		}
		found := ""
		for _, r := range out.StackResources {
			found += *r.ResourceType + " " + *r.PhysicalResourceId + "\n"
		}
		wants(t, "in the stack", found, "AWS::EC2::Instance "+id+"\nAWS::Lambda::Function pay\nAWS::SQS::Queue "+url+"\n")
		list, err := stacks.ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("shop")})
		if err != nil || len(list.StackResourceSummaries) != 3 {
			t.Errorf("%+v, %v", list, err)
		}
		_, err = stacks.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String("none")})
		refused(t, "ValidationError", err)
		groups := resourcegroups.NewFromConfig(admin(c, one))
		in, err := groups.ListGroupResources(t.Context(), &resourcegroups.ListGroupResourcesInput{Group: aws.String("payments")})
		if err != nil || len(in.Resources) != 3 || *in.Resources[1].Identifier.ResourceArn != arn || *in.Resources[1].Identifier.ResourceType != "AWS::Lambda::Function" {
			t.Errorf("%+v, %v", in, err)
		}
		_, err = groups.ListGroupResources(t.Context(), &resourcegroups.ListGroupResourcesInput{Group: aws.String("none")})
		refused(t, "NotFoundException", err)
	})
}
