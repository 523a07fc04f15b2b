package awsfake_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mishap/internal/awsfake"
)

// denial denies the action to all for a minute, and allows nothing.
func denial(action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"mishap1","Effect":"Deny","Principal":"*","Action":%q,"Resource":%q,"Condition":{"DateLessThan":{"aws:CurrentTime":%q}}}]}`,
		action, resource, time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
}

func alike(t *testing.T, what, is, want string) {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(is), &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("%s: %s, want %s", what, is, want)
	}
}

// deniesAMinute puts a denial on something by way of its service, and wants the
// data plane to be denied until its date, and the service to take it away.
func deniesAMinute(t *testing.T, c *awsfake.Cloud, denied, text string, put func(text string) error, get func() (string, error), remove func() error, missing string, probe func() error) {
	t.Helper()
	before := c.Snapshot()
	_, err := get()
	refused(t, missing, err)
	refusedPolicy := put(`{"Statement": 1}`)
	if refusedPolicy == nil {
		t.Error("what is no policy was taken")
	}
	wants(t, "before", probe(), nil)
	wants(t, "put", put(text), nil)
	is, err := get()
	wants(t, "get", err, nil)
	alike(t, "policy", is, text)
	refused(t, denied, probe())
	time.Sleep(59 * time.Second)
	refused(t, denied, probe())
	time.Sleep(time.Second)
	wants(t, "after its date", probe(), nil)
	wants(t, "remove", remove(), nil)
	unchanged(t, c, before)
}

func TestAQueueDeniesUntilTheDateOfItsPolicy(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, url := sqs.NewFromConfig(admin(c, one)), c.AddQueue(one, "orders", "", map[string]string{"Role": "orders"})
		set := func(text string) error {
			_, err := client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": text}})
			return err
		}
		get := func() (string, error) {
			out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"Policy"}})
			if err != nil {
				return "", err
			}
			return out.Attributes["Policy"], nil
		}
		before := c.Snapshot()
		probe := func() error {
			_, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
			return err
		}
		text := denial("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:111111111111:orders")
		wants(t, "put", set(text), nil)
		is, err := get()
		wants(t, "get", err, nil)
		wants(t, "policy", is, text)
		refused(t, "AccessDenied", probe())
		_, err = client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("x")})
		wants(t, "send", err, nil)
		time.Sleep(time.Minute)
		got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
		if err != nil || *got.Messages[0].Body != "x" {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: got.Messages[0].ReceiptHandle})
		wants(t, "delete", err, nil)
		refused(t, "InvalidAttributeValue", set("{"))
		wants(t, "remove", set(""), nil)
		is, err = get()
		wants(t, "none", is, "")
		wants(t, "get", err, nil)
		c.Edit(one, awsfake.Queue, "orders", func(d awsfake.Doc) { delete(d, "_messages") })
		unchanged(t, c, before)
		list, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: aws.String("ord")})
		if err != nil || fmt.Sprint(list.QueueUrls) != "["+url+"]" {
			t.Errorf("%+v, %v", list, err)
		}
		tags, err := client.ListQueueTags(t.Context(), &sqs.ListQueueTagsInput{QueueUrl: &url})
		if err != nil || tags.Tags["Role"] != "orders" {
			t.Errorf("%+v, %v", tags, err)
		}
		_, err = client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("none")})
		refused(t, "AWS.SimpleQueueService.NonExistentQueue", err)
	})
}

func TestABucketDeniesUntilTheDateOfItsPolicy(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		c.AddBucket(one, "photos", "", map[string]string{"Role": "photos"})
		client, bucket, key := s3.NewFromConfig(admin(c, one)), aws.String("photos"), aws.String("a/b.jpg")
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("picture")}); err != nil {
			t.Fatal(err)
		}
		deniesAMinute(t, c, "AccessDenied", denial("s3:GetObject", "arn:aws:s3:::photos/*"),
			func(text string) error {
				_, err := client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: &text})
				return err
			},
			func() (string, error) {
				out, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: bucket})
				if err != nil {
					return "", err
				}
				return *out.Policy, nil
			},
			func() error {
				_, err := client.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: bucket})
				return err
			},
			"NoSuchBucketPolicy",
			func() error {
				out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
				if err == nil {
					body, _ := io.ReadAll(out.Body)
					wants(t, "object", string(body), "picture")
				}
				return err
			})
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("piped"), Body: io.MultiReader(strings.NewReader("in "), strings.NewReader("pieces")), ContentLength: aws.Int64(9)}); err != nil {
			t.Fatal(err)
		}
		piped, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("piped")})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(piped.Body)
		wants(t, "what came in pieces", string(body), "in pieces")
		if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("piped")}); err != nil {
			t.Fatal(err)
		}
		_, err = client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("piped")})
		refused(t, "NotFound", err)
		long := denial("s3:GetObject", "arn:aws:s3:::photos/"+strings.Repeat("x", 20480))
		_, err = client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: &long})
		refused(t, "MalformedPolicy", err)
		all, err := client.ListBuckets(t.Context(), nil)
		if err != nil || len(all.Buckets) != 1 || *all.Buckets[0].Name != "photos" || *all.Buckets[0].BucketRegion != "eu-west-1" {
			t.Errorf("%+v, %v", all, err)
		}
		tags, err := client.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: bucket})
		if err != nil || *tags.TagSet[0].Value != "photos" {
			t.Errorf("%+v, %v", tags, err)
		}
		where, err := client.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: bucket})
		if err != nil || where.LocationConstraint != "eu-west-1" {
			t.Errorf("%+v, %v", where, err)
		}
		objects, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("a/")})
		if err != nil || len(objects.Contents) != 1 || *objects.Contents[0].Key != *key {
			t.Errorf("%+v, %v", objects, err)
		}
		head, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket})
		if err != nil || *head.BucketRegion != "eu-west-1" {
			t.Errorf("%+v, %v", head, err)
		}
		_, err = client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("none")})
		refused(t, "NoSuchKey", err)
		_, err = client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("none")})
		refused(t, "NoSuchBucket", err)
		_, err = s3.NewFromConfig(once(c.Config(one.Account, "us-east-1"))).GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: bucket})
		refused(t, "PermanentRedirect", err)
		wants(t, "permission", c.Calls("s3:GetObject")[0].Needs[0].Resource, "arn:aws:s3:::photos/a/b.jpg")
	})
}

func TestABucketIsFoundInThePathOverASocket(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	c.AddBucket(one, "photos", "", nil)
	server := httptest.NewServer(c)
	defer server.Close()
	config := admin(c, one)
	config.HTTPClient, config.BaseEndpoint = nil, aws.String(server.URL)
	client, bucket, key := s3.NewFromConfig(config), aws.String("photos"), aws.String("a")
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("picture")}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(out.Body)
	wants(t, "object", string(body), "picture")
}

func TestATableDeniesUntilTheDateOfItsPolicy(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, arn := dynamodb.NewFromConfig(admin(c, one)), c.AddTable(one, "carts", "", map[string]string{"Role": "carts"})
		id := map[string]dynamodbtypes.AttributeValue{"id": &dynamodbtypes.AttributeValueMemberS{Value: "1"}}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("carts"), Item: id}); err != nil {
			t.Fatal(err)
		}
		put := func(text string) error {
			_, err := client.PutResourcePolicy(t.Context(), &dynamodb.PutResourcePolicyInput{ResourceArn: &arn, Policy: &text})
			return err
		}
		text := denial("dynamodb:GetItem", arn)
		deniesAMinute(t, c, "AccessDeniedException", text, put,
			func() (string, error) {
				out, err := client.GetResourcePolicy(t.Context(), &dynamodb.GetResourcePolicyInput{ResourceArn: &arn})
				if err != nil {
					return "", err
				}
				return *out.Policy, nil
			},
			func() error {
				_, err := client.DeleteResourcePolicy(t.Context(), &dynamodb.DeleteResourcePolicyInput{ResourceArn: &arn})
				return err
			},
			"PolicyNotFoundException",
			func() error {
				out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("carts"), Key: id})
				if err == nil && len(out.Item) != 1 {
					t.Errorf("%+v", out)
				}
				return err
			})
		revision := func(expected string) (string, error) {
			out, err := client.PutResourcePolicy(t.Context(), &dynamodb.PutResourcePolicyInput{ResourceArn: &arn, Policy: &text, ExpectedRevisionId: &expected})
			if err != nil {
				return "", err
			}
			return *out.RevisionId, nil
		}
		first, err := revision("NO_POLICY")
		wants(t, "first", err, nil)
		_, err = revision("NO_POLICY")
		refused(t, "PolicyNotFoundException", err)
		_, err = revision(first)
		wants(t, "second", err, nil)
		tables, err := client.ListTables(t.Context(), nil)
		if err != nil || fmt.Sprint(tables.TableNames) != "[carts]" {
			t.Errorf("%+v, %v", tables, err)
		}
		tags, err := client.ListTagsOfResource(t.Context(), &dynamodb.ListTagsOfResourceInput{ResourceArn: &arn})
		if err != nil || *tags.Tags[0].Value != "carts" {
			t.Errorf("%+v, %v", tags, err)
		}
		table, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &arn})
		if err != nil || table.Table.TableStatus != "ACTIVE" {
			t.Errorf("%+v, %v", table, err)
		}
		_, err = client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("none")})
		refused(t, "ResourceNotFoundException", err)
	})
}

func TestAStreamDeniesUntilTheDateOfItsPolicy(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, arn := kinesis.NewFromConfig(admin(c, one)), c.AddStream(one, "clicks", "", map[string]string{"Role": "clicks"})
		deniesAMinute(t, c, "AccessDeniedException", denial("kinesis:PutRecord", arn),
			func(text string) error {
				_, err := client.PutResourcePolicy(t.Context(), &kinesis.PutResourcePolicyInput{ResourceARN: &arn, Policy: &text})
				return err
			},
			func() (string, error) {
				out, err := client.GetResourcePolicy(t.Context(), &kinesis.GetResourcePolicyInput{ResourceARN: &arn})
				if err != nil {
					return "", err
				}
				return *out.Policy, nil
			},
			func() error {
				_, err := client.DeleteResourcePolicy(t.Context(), &kinesis.DeleteResourcePolicyInput{ResourceARN: &arn})
				return err
			},
			"ResourceNotFoundException",
			func() error {
				_, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("clicks"), Data: []byte("x"), PartitionKey: aws.String("p")})
				return err
			})
		streams, err := client.ListStreams(t.Context(), nil)
		if err != nil || fmt.Sprint(streams.StreamNames) != "[clicks]" {
			t.Errorf("%+v, %v", streams, err)
		}
		one, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamARN: &arn})
		if err != nil || one.StreamDescriptionSummary.StreamStatus != "ACTIVE" {
			t.Errorf("%+v, %v", one, err)
		}
		tags, err := client.ListTagsForStream(t.Context(), &kinesis.ListTagsForStreamInput{StreamARN: &arn})
		if err != nil || *tags.Tags[0].Value != "clicks" {
			t.Errorf("%+v, %v", tags, err)
		}
	})
}

func TestAFunctionWithoutConcurrencyIsThrottled(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddFunction(one, "pay", map[string]string{"Role": "pay"})
		c.AddFunction(one, "other", nil)
		client, before, name := lambda.NewFromConfig(admin(c, one)), c.Snapshot(), aws.String("pay")
		put := func(n int32) error {
			_, err := client.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: &n})
			return err
		}
		get := func() *int32 {
			t.Helper()
			out, err := client.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: &arn})
			if err != nil {
				t.Fatal(err)
			}
			return out.ReservedConcurrentExecutions
		}
		invoke := func() error {
			_, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name})
			return err
		}
		wants(t, "none", get(), nil)
		wants(t, "invoke", invoke(), nil)
		wants(t, "put", put(0), nil)
		wants(t, "zero", *get(), 0)
		refused(t, "TooManyRequestsException", invoke())
		refused(t, "InvalidParameterValueException", put(901))
		wants(t, "put", put(900), nil)
		settings, err := client.GetAccountSettings(t.Context(), nil)
		if err != nil || *settings.AccountLimit.UnreservedConcurrentExecutions != 100 {
			t.Errorf("%+v, %v", settings, err)
		}
		if _, err := client.DeleteFunctionConcurrency(t.Context(), &lambda.DeleteFunctionConcurrencyInput{FunctionName: name}); err != nil {
			t.Fatal(err)
		}
		wants(t, "none", get(), nil)
		unchanged(t, c, before)
		list, err := client.ListFunctions(t.Context(), nil)
		if err != nil || len(list.Functions) != 2 || *list.Functions[0].FunctionArn != arn {
			t.Errorf("%+v, %v", list, err)
		}
		tags, err := client.ListTags(t.Context(), &lambda.ListTagsInput{Resource: &arn})
		if err != nil || tags.Tags["Role"] != "pay" {
			t.Errorf("%+v, %v", tags, err)
		}
		_, err = client.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("none")})
		refused(t, "ResourceNotFoundException", err)
	})
}

func TestAMappingTakesItsTimeAndCannotBeChangedMeanwhile(t *testing.T) {
	in(t, awsfake.Settings{Mapping: 15 * time.Second}, func(t *testing.T, c *awsfake.Cloud) {
		c.AddFunction(one, "pay", nil)
		uuid := aws.String(c.AddMapping(one, "pay", "arn:aws:sqs:eu-west-1:111111111111:orders", nil))
		client, before := lambda.NewFromConfig(admin(c, one)), c.Snapshot()
		enable := func(is bool) error {
			_, err := client.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: uuid, Enabled: &is})
			return err
		}
		is := func(want string) {
			t.Helper()
			out, err := client.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: uuid})
			if err != nil || *out.State != want {
				t.Errorf("%+v, %v, want %s", out, err, want)
			}
		}
		is("Enabled")
		wants(t, "disable", enable(false), nil)
		is("Disabling")
		refused(t, "ResourceInUseException", enable(true))
		time.Sleep(15 * time.Second)
		is("Disabled")
		wants(t, "enable", enable(true), nil)
		is("Enabling")
		time.Sleep(15 * time.Second)
		is("Enabled")
		unchanged(t, c, before)
		list, err := client.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String("pay")})
		if err != nil || len(list.EventSourceMappings) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		wants(t, "function in its context", c.Calls("lambda:UpdateEventSourceMapping")[0].Needs[0].Context["lambda:FunctionArn"][0], "arn:aws:lambda:eu-west-1:111111111111:function:pay")
	})
}
