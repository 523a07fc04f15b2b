package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"mishap"
	"mishap/internal/cloud"
)

const streamName = `^[\w.-]{1,128}$`

func kinesisDeny() fault[denyWith] {
	const notFound = "ResourceNotFoundException" // no stream, and no policy
	return denying{
		about: about{
			name:    "kinesis-deny",
			symptom: mishap.SymptomWrong,
			doc:     "Those who put records into the stream or get them from it get AccessDeniedException. Records stay as long as the stream keeps them.",
			example: "injector: kinesis-deny\ntargets: {names: [clicks]}\nwith: {actions: [\"kinesis:PutRecord\", \"kinesis:PutRecords\"]}\nfor: 5m",
			settles: 20 * time.Second,
			do:      []allow{reading(findingTagged), acting("kinesis:DescribeStreamSummary", "kinesis:GetResourcePolicy", "kinesis:PutResourcePolicy")},
			undo:    []allow{acting("kinesis:DescribeStreamSummary", "kinesis:GetResourcePolicy", "kinesis:PutResourcePolicy", "kinesis:DeleteResourcePolicy")},
			noun:    "stream", kind: "kinesis-stream", arn: "arn:{partition}:kinesis:{region}:{account}:stream/{id}",
			id: like(streamName), idLike: "clicks", revertTakes: 2 * time.Minute,
		},
		resources: "kinesis:stream", limit: 20480,
		actions: kinesisActions(),
		get: func(ctx context.Context, c aws.Config, of owned) (policied, error) {
			out, err := kinesis.NewFromConfig(c).GetResourcePolicy(ctx, &kinesis.GetResourcePolicyInput{ResourceARN: aws.String(of.arn)})
			switch {
			case err == nil && aws.ToString(out.Policy) != "{}":
				return policied{text: aws.ToString(out.Policy)}, nil
			case err == nil:
				return policied{}, nil
			case cloud.Code(err) != notFound:
				return policied{}, cloud.Failed("read the policy of stream "+of.id, err)
			}
			_, err = kinesis.NewFromConfig(c).DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: aws.String(of.arn)})
			return policied{gone: cloud.Code(err) == notFound}, cloud.Failed("ask whether there is a stream "+of.id, err, notFound)
		},
		put: func(ctx context.Context, c aws.Config, of owned, p policied) (err error) {
			if p.text == "" {
				_, err = kinesis.NewFromConfig(c).DeleteResourcePolicy(ctx, &kinesis.DeleteResourcePolicyInput{ResourceARN: aws.String(of.arn)})
			} else {
				_, err = kinesis.NewFromConfig(c).PutResourcePolicy(ctx, &kinesis.PutResourcePolicyInput{ResourceARN: aws.String(of.arn), Policy: aws.String(p.text)})
			}
			return cloud.Failed("write the policy of stream "+of.id, err)
		},
	}.fault()
}

// kinesisActions are those that use data.
func kinesisActions() []string {
	return []string{"kinesis:PutRecord", "kinesis:PutRecords", "kinesis:GetRecords", "kinesis:GetShardIterator"}
}
