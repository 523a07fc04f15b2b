package aws_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/cloud"
	"mishap/internal/injectortest"
)

const (
	motoAccount = "123456789012"
	motoRegion  = "eu-west-1"
)

// moto is a server of EC2's API on this machine.
type moto struct {
	url   string
	place cloud.Place
	ec2   *ec2.Client
}

// startMoto starts a server that ends with the test; ok is false without
// moto_server.
func startMoto(t *testing.T) (m *moto, ok bool) {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		return nil, false
	}
	command := exec.Command(path, "-H", "127.0.0.1", "-p", "0")
	command.Env = append(os.Environ(), "MOTO_EC2_LOAD_DEFAULT_AMIS=false")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = write, write
	if err := command.Start(); err != nil {
		t.Fatalf("start moto_server: %v", err)
	}
	_ = write.Close()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = read.Close()
	})
	address := make(chan string, 1)
	go listenURL(read, address)
	select {
	case u := <-address:
		if u == "" {
			t.Fatal("moto_server ended before it listened")
		}
		m = &moto{url: u}
	case <-time.After(3 * time.Minute):
		t.Fatal("moto_server does not listen after 3 minutes")
	}
	m.place = cloud.Place{At: cloud.At{Account: motoAccount, Region: motoRegion}, Config: configFor(m.url, http.DefaultClient)}
	m.ec2 = ec2.NewFromConfig(plainConfig(m.url, http.DefaultClient)) // which repeats no launch
	return m, true
}

// listenURL sends the first address in the server's log, and reads the log to
// its end, so that the server never waits for a reader.
func listenURL(log *os.File, address chan<- string) {
	running := regexp.MustCompile(`Running on (http://\S+)`)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if found := running.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case address <- found[1]:
			default:
			}
		}
	}
	close(address)
}

// configFor is an AWS configuration for a server of ours.
func configFor(url string, client sdk.HTTPClient) sdk.Config {
	return cloud.New().Calls(plainConfig(url, client), motoAccount)
}

func plainConfig(url string, client sdk.HTTPClient) sdk.Config {
	return cloud.Once(sdk.Config{Region: motoRegion, BaseEndpoint: sdk.String(url), HTTPClient: client,
		Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
			return sdk.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"}, nil
		})})
}

func needMoto(t *testing.T) *moto {
	t.Helper()
	m, ok := startMoto(t)
	if !ok {
		t.Skip("moto_server is not installed")
	}
	return m
}

func (m *moto) deps() aws.Deps { return depsFor(m.place) }

func depsFor(place cloud.Place) aws.Deps {
	return aws.Deps{
		Place:    func(context.Context, string, string) (cloud.Place, error) { return place, nil },
		Recorded: func(context.Context, cloud.At) (cloud.Place, error) { return place, nil },
	}
}

// post calls moto's own API.
func (m *moto) post(t *testing.T, path string) {
	t.Helper()
	response, err := http.Post(m.url+path, "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

// launch makes n running instances with these tags, and returns their ids.
func (m *moto) launch(t *testing.T, n int32, tags map[string]string) []string {
	t.Helper()
	var list []types.Tag
	for key, value := range tags {
		list = append(list, types.Tag{Key: sdk.String(key), Value: sdk.String(value)})
	}
	input := &ec2.RunInstancesInput{ImageId: sdk.String("ami-12345678"), MinCount: sdk.Int32(n), MaxCount: sdk.Int32(n)}
	if list != nil {
		input.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: list}}
	}
	out, err := m.ec2.RunInstances(t.Context(), input)
	if err != nil {
		t.Fatalf("launch instances: %v", err)
	}
	var ids []string
	for _, i := range out.Instances {
		ids = append(ids, sdk.ToString(i.InstanceId))
	}
	return ids
}

// states says how all instances are, one a line.
func (m *moto) states(t *testing.T) string {
	t.Helper()
	out, err := m.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	if err != nil {
		t.Fatalf("describe instances: %v", err)
	}
	var text strings.Builder
	for _, r := range out.Reservations {
		for _, i := range r.Instances {
			fmt.Fprintf(&text, "%s %s\n", sdk.ToString(i.InstanceId), i.State.Name)
		}
	}
	return text.String()
}

func (m *moto) terminate(t *testing.T, ids ...string) {
	t.Helper()
	if _, err := m.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: ids}); err != nil {
		t.Fatalf("terminate instances: %v", err)
	}
}

// groups calls the API of Auto Scaling, of which the tests need two calls.
func (m *moto) groups(t *testing.T, form url.Values) {
	t.Helper()
	form.Set("Version", "2011-01-01")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/"+motoRegion+"/autoscaling/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", form.Get("Action"), response.Status)
	}
}

// ec2World is a region of a real server with two instances that are meant, and
// one that is not.
func ec2World(t *testing.T) (injectortest.World, bool) {
	m, ok := startMoto(t)
	if !ok {
		return injectortest.World{}, false
	}
	var ids []string
	w := world(m.deps(), "ec2-stop")
	w.Fault = func(t *testing.T) mishap.Fault {
		m.post(t, "/moto-api/reset")
		ids = m.launch(t, 2, map[string]string{"Role": "payments", "Name": "pay"})
		m.launch(t, 1, map[string]string{"Role": "checkout"})
		return fault("ec2-stop", `{"tags": {"Role": "payments"}}`, nil)
	}
	w.Prompt = true
	w.Untraced = "the world in memory is traced: here each trace would start a server"
	w.Empty = fault("ec2-stop", `{"tags": {"Role": "nobody"}}`, nil)
	w.Snapshot = m.states
	w.Remove = func(t *testing.T) { m.terminate(t, ids...) }
	return w, true
}
