package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// instances are those of an EC2 that is a program on this machine.
type instances struct {
	url string
	ec2 *ec2.Client
	ssm *ssm.Client
}

// environment is what a program needs to take it for AWS.
func (i *instances) environment() []string {
	return []string{"AWS_ENDPOINT_URL=" + i.url, "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing", "AWS_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true"}
}

// stop stops an instance.
func (i *instances) stop(t *testing.T, id string) {
	t.Helper()
	if _, err := i.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
		t.Fatal(err)
	}
}

// parameter puts a secure string there.
func (i *instances) parameter(t *testing.T, name, text string) {
	t.Helper()
	if _, err := i.ssm.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: &text, Type: "SecureString"}); err != nil {
		t.Fatal(err)
	}
}

// parameters are the names of the parameters there, and whether all are secure.
func (i *instances) parameters(t *testing.T) (names []string, secure bool) {
	t.Helper()
	secure = true
	input := &ssm.DescribeParametersInput{}
	for {
		out, err := i.ssm.DescribeParameters(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Parameters {
			names, secure = append(names, aws.ToString(p.Name)), secure && p.Type == "SecureString"
		}
		if input.NextToken = out.NextToken; out.NextToken == nil {
			return names, secure
		}
	}
}

// startEC2 starts it with n running instances, each tagged with its number.
func startEC2(t *testing.T, n int) *instances {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("SKIPPED: no moto_server")
	}
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", "0")
	cmd.Env = append(os.Environ(), "MOTO_EC2_LOAD_DEFAULT_AMIS=false")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := startLocked(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = read.Close(); _ = write.Close() })
	found := make(chan string, 1)
	go func() {
		running := regexp.MustCompile(`Running on (http://\S+)`)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if m := running.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
	}()
	i := &instances{url: <-found}
	config := aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String(i.url), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"}, nil
	})}
	i.ec2, i.ssm = ec2.NewFromConfig(config), ssm.NewFromConfig(config)
	for k := range n {
		tags := []types.Tag{{Key: aws.String("mishap"), Value: aws.String("allow")}, {Key: aws.String("Number"), Value: aws.String(fmt.Sprintf("n%03d", k))}}
		if _, err := i.ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{ImageId: aws.String("ami-12345678"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: tags}}}); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// stopped is the numbers of the instances that do not run.
func (i *instances) stopped(t *testing.T) map[string]bool {
	t.Helper()
	out, err := i.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, r := range out.Reservations {
		for _, one := range r.Instances {
			for _, tag := range one.Tags {
				if aws.ToString(tag.Key) == "Number" && one.State.Name != types.InstanceStateNameRunning {
					all[aws.ToString(tag.Value)] = true
				}
			}
		}
	}
	return all
}

// id is the instance with that number.
func (i *instances) id(t *testing.T, number string) string {
	t.Helper()
	out, err := i.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: aws.String("tag:Number"), Values: []string{number}}}})
	if err != nil || len(out.Reservations) != 1 {
		t.Fatalf("describe instances: %v, %v", out, err)
	}
	return aws.ToString(out.Reservations[0].Instances[0].InstanceId)
}

// tag gives an instance a tag.
func (i *instances) tag(t *testing.T, id, key, value string) {
	t.Helper()
	tags := []types.Tag{{Key: &key, Value: &value}}
	if _, err := i.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{id}, Tags: tags}); err != nil {
		t.Fatal(err)
	}
}

// untag takes it away.
func (i *instances) untag(t *testing.T, id, key string) {
	t.Helper()
	if _, err := i.ec2.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: &key}}}); err != nil {
		t.Fatal(err)
	}
}

// protect lets EC2 refuse to stop an instance.
func (i *instances) protect(t *testing.T, id string) {
	t.Helper()
	on := &types.AttributeBooleanValue{Value: aws.Bool(true)}
	if _, err := i.ec2.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &id, DisableApiStop: on}); err != nil {
		t.Fatal(err)
	}
}

// What a dead server stopped in AWS, another one starts again.
func TestAKilledServersInstancesRunAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	n := 9
	if many, err := strconv.Atoi(os.Getenv("MISHAP_FLEET_AWS")); err == nil {
		n = many
	}
	cloud := startEC2(t, n)
	fine := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(fine.Close)
	f := fleetOf(t, fleetOptions{servers: 3, mortal: 1, lease: 20 * time.Second, experiments: n, settings: "accounts: ['123456789012']\nregions: [eu-west-1]\n", env: cloud.environment(), write: func(dir string, k int) error {
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("e%03d.yaml", k)), fmt.Appendf(nil, `version: 1
name: e%03d
claim: It is well.
steadyState: [{name: ok, probe: http, with: {url: "%s"}, expect: {status: 200}, every: 5s, unknown: 10 of 20}]
faults: [{name: stop, injector: ec2-stop, targets: {region: eu-west-1, tags: {Number: n%03d}}, for: 30m}]
blastRadius: {targets: 1}
`, k, fine.URL, k), 0o600)
	}})
	began := time.Now()
	asked := f.allIn(f.servers, n, func() int { return len(cloud.stopped(t)) })
	t.Logf("%d instances stopped within %s", n, time.Since(began).Round(time.Millisecond))
	f.kill(f.servers[0])
	took := f.until(fleetLease+time.Minute, "what the dead server stopped runs again", func() bool {
		for number := range cloud.stopped(t) {
			if asked["k"+number[1:]] == 0 {
				return false
			}
		}
		return true
	})
	t.Logf("%d instances of a killed server ran again after %s", (n+2)/3, took.Round(time.Millisecond))
	if left := len(cloud.stopped(t)); left != n-(n+2)/3 {
		t.Errorf("%d instances of the other servers are stopped", left)
	}
	if status, text := f.servers[1].call("PUT", "/v1/halt", `{"reason": "test"}`); status != http.StatusOK {
		t.Fatalf("halt: %d %s", status, text)
	}
	f.until(3*time.Minute, "every instance runs", func() bool { return len(cloud.stopped(t)) == 0 })
	f.until(time.Minute, "every run has ended", f.settled)
	f.audit()
}
