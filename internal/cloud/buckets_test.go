package cloud_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

// urls remembers where calls went.
type urls struct {
	aws.HTTPClient
	seen []string
}

func (u *urls) Do(r *http.Request) (*http.Response, error) {
	u.seen = append(u.seen, r.Method+" "+r.URL.String())
	return u.HTTPClient.Do(r)
}

func bucketOf(c *awsfake.Cloud, region string) (cloud.Bucket, *urls) {
	config := cloud.New().Calls(c.Config("111111111111", region), "111111111111")
	seen := &urls{HTTPClient: config.HTTPClient}
	config.HTTPClient = seen
	return cloud.Bucket{Config: config, Account: "111111111111", Name: "photos"}, seen
}

func photos() *awsfake.Cloud {
	c := awsfake.New(awsfake.Settings{})
	c.AddBucket(awsfake.Place{Account: "111111111111", Region: "eu-west-1"}, "photos", "", nil)
	return c
}

func TestABucketIsCalledWhereAWSsOwnRulesSay(t *testing.T) {
	const policy = `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}}`
	for where, change := range map[string]func(*cloud.Bucket){
		"https://photos.s3.eu-west-1.amazonaws.com?policy=": func(*cloud.Bucket) {},
		"https://photos.s3-fips.us-gov-west-1.amazonaws.com?policy=": func(b *cloud.Bucket) {
			b.Config.Region, b.Config.ConfigSources = "us-gov-west-1", []any{fips{}}
		},
		"https://photos.s3.cn-north-1.amazonaws.com.cn?policy=": func(b *cloud.Bucket) { b.Config.Region = "cn-north-1" },
		"https://s3.eu-west-1.amazonaws.com/pho.tos?policy=":    func(b *cloud.Bucket) { b.Name = "pho.tos" },
		"http://localhost:5000/photos?policy=":                  func(b *cloud.Bucket) { b.Config.BaseEndpoint = aws.String("http://localhost:5000") },
		"http://localhost:5001/photos?policy=":                  func(b *cloud.Bucket) { b.Config.ConfigSources = []any{own{}} },
	} {
		b, seen := bucketOf(photos(), "eu-west-1")
		change(&b)
		_, _ = b.Policy(t.Context())
		if len(seen.seen) == 0 || seen.seen[0] != "GET "+where {
			t.Errorf("called was %s; want %s", seen.seen, where)
		}
	}
	b, _ := bucketOf(photos(), "eu-west-1")
	if err := b.PutPolicy(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	if text, err := b.Policy(t.Context()); err != nil || !strings.Contains(text, "s3:GetObject") {
		t.Errorf("policy %s, %v", text, err)
	}
	if err := b.DeletePolicy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Policy(t.Context()); cloud.Code(err) != "NoSuchBucketPolicy" {
		t.Errorf("%v", err)
	}
}

type fips struct{}

func (fips) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, true, nil
}

type own struct{}

func (own) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	return "http://localhost:5001", service == "S3", nil
}

// TestABucketsCallsAreRepeatedAndExplainedAsThoseOfClientsAre: what lies
// between clients and AWS lies here too.
func TestABucketsCallsAreRepeatedAndExplainedAsThoseOfClientsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := photos()
		b, seen := bucketOf(c, "eu-west-1")
		c.On("s3:GetBucketPolicy", 1, awsfake.FailsBefore("SlowDown"))
		c.On("s3:GetBucketPolicy", 1, awsfake.LosesAnswer())
		c.On("s3:GetBucketPolicy", 1, awsfake.AnswersLate(time.Minute))
		if _, err := b.Policy(t.Context()); cloud.Code(err) != "NoSuchBucketPolicy" || len(seen.seen) != 4 {
			t.Errorf("%v after %s; want the answer of the fourth", err, seen.seen)
		}
		b.Config = cloud.Once(b.Config)
		c.On("s3:PutBucketPolicy", 1, awsfake.LosesAnswer())
		if err := b.PutPolicy(t.Context(), `{"Statement":[]}`); err == nil || cloud.Refused(err) || len(seen.seen) != 5 {
			t.Errorf("%v after %s; want that nobody knows", err, seen.seen[4:])
		}
	})
	for name, test := range map[string]struct {
		change     func(*awsfake.Cloud, *cloud.Bucket)
		text, hint string
	}{
		"of another account": {func(_ *awsfake.Cloud, b *cloud.Bucket) { b.Account = "222222222222" }, "s3:GetBucketPolicy in 111111111111 eu-west-1: AccessDenied: Access Denied", "the bucket must belong to account 111111111111; if no policy allows s3:GetBucketPolicy"},
		"in another region":  {func(_ *awsfake.Cloud, b *cloud.Bucket) { b.Config.Region = "us-east-1" }, "PermanentRedirect: ", "the bucket is in another region"},
		"unknown":            {func(_ *awsfake.Cloud, b *cloud.Bucket) { b.Name = "none" }, "NoSuchBucket: The specified bucket does not exist", ""},
		"Block Public Access": {func(c *awsfake.Cloud, _ *cloud.Bucket) {
			c.On("s3:GetBucketPolicy", 1, awsfake.Fate{Unreached: true, Fail: "AccessDenied", Status: http.StatusForbidden, Message: "because public policies are blocked by the BlockPublicPolicy block public access setting."})
		}, "BlockPublicPolicy", "take out of the policy what does"},
	} {
		t.Run(name, func(t *testing.T) {
			c := photos()
			b, _ := bucketOf(c, "eu-west-1")
			test.change(c, &b)
			_, err := b.Policy(t.Context())
			err = cloud.Failed("read the policy", err)
			if !errors.As(err, new(*mishap.Hinted)) && test.hint != "" || !strings.Contains(err.Error(), test.text) || !strings.Contains(mishap.HintOf(err), test.hint) || !cloud.Refused(err) {
				t.Errorf("%v; hint: %s", err, mishap.HintOf(err))
			}
		})
	}
}
