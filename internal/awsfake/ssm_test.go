package awsfake_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"mishap/internal/awsfake"
)

func TestAParameterIsWrittenOnceAndDeletedOnce(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, name, before := ssm.NewFromConfig(admin(c, one)), aws.String("/mishap/run.1"), c.Snapshot()
		put := func(value string, overwrite bool) error {
			_, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: name, Value: &value, Type: "SecureString", Overwrite: &overwrite})
			return err
		}
		wants(t, "first", put("undo", false), nil)
		refused(t, "ParameterAlreadyExists", put("other", false))
		get := func(plain bool) string {
			t.Helper()
			out, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: name, WithDecryption: &plain})
			if err != nil {
				t.Fatal(err)
			}
			return *out.Parameter.Value
		}
		wants(t, "value", get(true), "undo")
		wants(t, "in cipher", strings.HasPrefix(get(false), "AQICAH"), true)
		wants(t, "again", put("more", true), nil)
		wants(t, "value", get(true), "more")
		wants(t, "4 KB", put(strings.Repeat("x", 4096), true), nil)
		refused(t, "ValidationException", put(strings.Repeat("x", 4097), true))
		if _, err := client.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: name}); err != nil {
			t.Fatal(err)
		}
		_, err := client.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: name})
		refused(t, "ParameterNotFound", err)
		_, err = client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: name})
		refused(t, "ParameterNotFound", err)
		unchanged(t, c, before)
	})
}

func TestParametersAreListedByPathInPagesOfTen(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client := ssm.NewFromConfig(admin(c, one))
		for i := range 25 {
			for _, path := range []string{"/mishap", "/mishap/deep", "/mishaps"} {
				if _, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String(fmt.Sprintf("%s/%02d", path, i)), Value: aws.String("v"), Type: "String"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for recursive, want := range map[bool]string{false: "3 pages, 25", true: "5 pages, 50"} {
			pages, found := 0, 0
			for p := ssm.NewGetParametersByPathPaginator(client, &ssm.GetParametersByPathInput{Path: aws.String("/mishap"), Recursive: &recursive}); p.HasMorePages(); pages++ {
				page, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				found += len(page.Parameters)
			}
			wants(t, "listed", fmt.Sprintf("%d pages, %d", pages, found), want)
		}
		_, err := client.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/mishap"), MaxResults: aws.Int32(11)})
		refused(t, "ValidationException", err)
	})
}

func TestThreeParametersAreWrittenASecondPerAccountAndRegion(t *testing.T) {
	in(t, awsfake.Settings{Limits: awsfake.Documented()}, func(t *testing.T, c *awsfake.Cloud) {
		put := func(p awsfake.Place, i int) error {
			_, err := ssm.NewFromConfig(admin(c, p)).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String(fmt.Sprint("/mishap/", i)), Value: aws.String("v"), Type: "String"})
			return err
		}
		for i := range 3 {
			wants(t, "in the first second", put(one, i), nil)
		}
		refused(t, "ThrottlingException", put(one, 3))
		wants(t, "elsewhere", put(awsfake.Place{Account: one.Account, Region: "us-east-1"}, 3), nil)
		time.Sleep(time.Second)
		for i := range 3 {
			wants(t, "in the next", put(one, 4+i), nil)
		}
		refused(t, "ThrottlingException", put(one, 8))
	})
}

func TestAParameterThatOnlyOneRoleMayWrite(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddRole(one.Account, "mishap", "", map[string]string{"p": `{"Statement": {"Effect": "Allow", "Action": "ssm:PutParameter", "Resource": "arn:aws:ssm:*:*:parameter/mishap/*", "Condition": {"StringEquals": {"ssm:Overwrite": "false"}}}}`}, nil)
		config, err := assumed(t, c, one, arn, "")
		if err != nil {
			t.Fatal(err)
		}
		put := func(name string, overwrite bool) error {
			_, err := ssm.NewFromConfig(config).PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: aws.String("v"), Type: "String", Overwrite: &overwrite})
			return err
		}
		wants(t, "below its path", put("/mishap/a", false), nil)
		refused(t, "AccessDeniedException", put("/mishap/a", true))
		refused(t, "AccessDeniedException", put("/mishap-2/a", false))
	})
}

func TestParametersAreDescribedWithTheirTagsAndKeys(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client := ssm.NewFromConfig(admin(c, one))
		put := func(input ssm.PutParameterInput) error {
			input.Value = aws.String("v")
			_, err := client.PutParameter(t.Context(), &input)
			return err
		}
		role := []types.Tag{{Key: aws.String("Role"), Value: aws.String("vault")}}
		wants(t, "tagged", put(ssm.PutParameterInput{Name: aws.String("/a/1"), Type: "SecureString", KeyId: aws.String("k-1"), Tags: role}), nil)
		wants(t, "plain", put(ssm.PutParameterInput{Name: aws.String("b"), Type: "String"}), nil)
		wants(t, "with a usual key", put(ssm.PutParameterInput{Name: aws.String("/a/2"), Type: "SecureString"}), nil)
		refused(t, "ValidationException", put(ssm.PutParameterInput{Name: aws.String("/a/1"), Overwrite: aws.Bool(true), Tags: role}))
		wants(t, "over", put(ssm.PutParameterInput{Name: aws.String("/a/2"), Overwrite: aws.Bool(true)}), nil)
		describe := func(key, option, value string) (found string) {
			t.Helper()
			f := types.ParameterStringFilter{Key: &key, Values: []string{value}}
			if option != "" {
				f.Option = &option
			}
			out, err := client.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{f}})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range out.Parameters {
				found += fmt.Sprintf("%s %s v%d %s\n", *p.Name, p.Type, p.Version, aws.ToString(p.KeyId))
			}
			return found
		}
		wants(t, "by tag", describe("tag:Role", "", "vault"), "/a/1 SecureString v1 k-1\n")
		wants(t, "by path", describe("Path", "", "/a"), "/a/1 SecureString v1 k-1\n/a/2 SecureString v2 alias/aws/ssm\n")
		wants(t, "by type", describe("Type", "", "String"), "b String v1 \n")
		wants(t, "by name", describe("Name", "BeginsWith", "/a/2"), "/a/2 SecureString v2 alias/aws/ssm\n")
		needs := ""
		for _, n := range c.Calls()[0].Needs {
			needs += n.Action + " " + n.Resource + "\n"
		}
		wants(t, "needs", needs, "ssm:PutParameter arn:aws:ssm:eu-west-1:111111111111:parameter/a/1\nssm:AddTagsToResource arn:aws:ssm:eu-west-1:111111111111:parameter/a/1\nkms:Encrypt arn:aws:kms:eu-west-1:111111111111:key/k-1\n")
		out, err := client.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: []string{"/a/1", "/none"}})
		if err != nil || fmt.Sprint(out.DeletedParameters, out.InvalidParameters) != "[/a/1] [/none]" {
			t.Errorf("%+v, %v", out, err)
		}
		got, err := client.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a/1", "b"}})
		if err != nil || len(got.Parameters) != 1 || fmt.Sprint(got.InvalidParameters) != "[/a/1]" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
