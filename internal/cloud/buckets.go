package cloud

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const s3Service = "S3"

// Bucket is one of S3, as its policy is read and written. The SDK's client of S3 is
// not made: it holds itself as an interface, by which all of its methods would be
// linked. What lies between the SDK's other clients and AWS lies here as well:
// rates, retries, signatures and what errors say.
type Bucket struct {
	Config  aws.Config
	Account string // that must own it, or all calls are refused
	Name    string
}

// Policy is the text of its policy. A bucket without one is the error
// NoSuchBucketPolicy.
func (b Bucket) Policy(ctx context.Context) (string, error) {
	return b.call(ctx, "GetBucketPolicy", http.MethodGet, "")
}

// PutPolicy gives it a policy.
func (b Bucket) PutPolicy(ctx context.Context, text string) error {
	_, err := b.call(ctx, "PutBucketPolicy", http.MethodPut, text)
	return err
}

// DeletePolicy takes its policy away.
func (b Bucket) DeletePolicy(ctx context.Context) error {
	_, err := b.call(ctx, "DeleteBucketPolicy", http.MethodDelete, "")
	return err
}

// call is one about its policy.
func (b Bucket) call(ctx context.Context, operation, method, body string) (string, error) {
	stack := middleware.NewStack(operation, smithyhttp.NewStackRequest)
	retryer := aws.Retryer(aws.NopRetryer{})
	if b.Config.Retryer != nil {
		retryer = b.Config.Retryer()
	}
	add := []func(*middleware.Stack) error{func(s *middleware.Stack) error {
		return s.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{ServiceID: s3Service, SigningName: "s3", Region: b.Config.Region, OperationName: operation}, middleware.Before)
	}, func(s *middleware.Stack) error {
		return s.Serialize.Add(middleware.SerializeMiddlewareFunc("mishap/Bucket", b.request(method, body)), middleware.After)
	}, func(s *middleware.Stack) error {
		return s.Finalize.Add(retry.NewAttemptMiddleware(retryer, smithyhttp.RequestCloner), middleware.After)
	}, func(s *middleware.Stack) error {
		return s.Finalize.Add(middleware.FinalizeMiddlewareFunc("Signing", b.sign(body)), middleware.After)
	}, func(s *middleware.Stack) error {
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("mishap/Answer", answered), middleware.After)
	}, awsmiddleware.AddRecordResponseTiming}
	for _, option := range append(add, b.Config.APIOptions...) {
		if err := option(stack); err != nil {
			return "", fmt.Errorf("prepare %s: %w", operation, err)
		}
	}
	client := smithyhttp.NewClientHandlerWithOptions(cmp.Or[smithyhttp.ClientDo](b.Config.HTTPClient, http.DefaultClient))
	out, _, err := middleware.DecorateHandler(client, stack).Handle(middleware.ClearStackValues(ctx), b)
	if err != nil {
		return "", &smithy.OperationError{ServiceID: s3Service, OperationName: operation, Err: err}
	}
	text, _ := out.(string)
	return text, nil
}

// request is the call, as it is sent and sent again.
func (b Bucket) request(method, body string) func(context.Context, middleware.SerializeInput, middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
	return func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (out middleware.SerializeOutput, data middleware.Metadata, err error) {
		at, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, b.where(ctx))
		if err != nil {
			return out, data, fmt.Errorf("find the endpoint of bucket %s: %w", b.Name, err)
		}
		r := in.Request.(*smithyhttp.Request)
		r.Method, r.URL = method, &at.URI
		r.URL.RawQuery = "policy"
		r.Header.Set("X-Amz-Expected-Bucket-Owner", b.Account)
		if method == http.MethodPut {
			sum := sha256.Sum256([]byte(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
			if r, err = r.SetStream(bytes.NewReader([]byte(body))); err != nil {
				return out, data, err
			}
			r.ContentLength = int64(len(body))
		}
		in.Request = r
		return next.HandleSerialize(ctx, in)
	}
}

// where is what AWS's rules for S3's endpoints want to know.
func (b Bucket) where(ctx context.Context) s3.EndpointParameters {
	at := s3.EndpointParameters{Bucket: &b.Name, Region: &b.Config.Region}
	for _, source := range b.Config.ConfigSources {
		if of, tells := source.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		}); tells && at.UseFIPS == nil {
			if state, is, err := of.GetUseFIPSEndpoint(ctx); is && err == nil {
				at.UseFIPS = aws.Bool(state == aws.FIPSEndpointStateEnabled)
			}
		}
		if of, tells := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); tells && at.Endpoint == nil {
			if url, is, err := of.GetServiceBaseEndpoint(ctx, s3Service); is && err == nil {
				at.Endpoint = &url
			}
		}
	}
	at.Endpoint = cmp.Or(at.Endpoint, b.Config.BaseEndpoint)
	at.ForcePathStyle = aws.Bool(at.Endpoint != nil) // few such hosts have a name for each bucket
	return at
}

// sign signs each attempt anew.
func (b Bucket) sign(body string) func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	return func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, data middleware.Metadata, err error) {
		who, err := b.Config.Credentials.Retrieve(ctx)
		if err != nil {
			return out, data, explainCredentials(err)
		}
		r, sum := in.Request.(*smithyhttp.Request), sha256.Sum256([]byte(body))
		hash := hex.EncodeToString(sum[:])
		r.Header.Set("X-Amz-Content-Sha256", hash)
		if err := v4.NewSigner().SignHTTP(ctx, who, r.Request, hash, "s3", b.Config.Region, time.Now()); err != nil {
			return out, data, fmt.Errorf("sign the call: %w", err)
		}
		return next.HandleFinalize(ctx, in)
	}
}

// answered reads the answer: a text, or an error in XML.
func answered(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (out middleware.DeserializeOutput, data middleware.Metadata, err error) {
	const most = 1 << 20
	if out, data, err = next.HandleDeserialize(ctx, in); err != nil {
		return out, data, err
	}
	r := out.RawResponse.(*smithyhttp.Response)
	text, err := io.ReadAll(io.LimitReader(r.Body, most))
	_ = r.Body.Close()
	if err != nil {
		return out, data, &smithyhttp.ResponseError{Response: r, Err: err}
	}
	if out.Result = string(text); r.StatusCode < 300 {
		return out, data, nil
	}
	refused := struct{ Code, Message string }{Code: http.StatusText(r.StatusCode)}
	_ = xml.Unmarshal(text, &refused) // without an error in it the status says it
	return out, data, &smithyhttp.ResponseError{Response: r, Err: &smithy.GenericAPIError{Code: refused.Code, Message: refused.Message}}
}
