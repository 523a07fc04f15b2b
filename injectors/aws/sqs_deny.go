package aws

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mishap"
	"mishap/internal/cloud"
)

const queueName = `^[\w-]{1,80}(\.fifo)?$`

func sqsDeny() fault[denyWith] {
	const policy = string(types.QueueAttributeNamePolicy)
	return denying{
		about: about{
			name:    "sqs-deny",
			symptom: mishap.SymptomWrong,
			doc:     "Those who send to the queue or receive from it get AccessDenied. Messages stay in the queue. SQS may take a minute until all of it knows.",
			example: "injector: sqs-deny\ntargets: {names: [orders]}\nwith: {actions: [\"sqs:SendMessage\"]}\nfor: 5m",
			settles: time.Minute, // "the change can take up to 60 seconds" (SetQueueAttributes)
			do:      []allow{reading(findingTagged), acting("sqs:GetQueueAttributes", "sqs:SetQueueAttributes")},
			undo:    []allow{acting("sqs:GetQueueAttributes", "sqs:SetQueueAttributes")},
			noun:    "queue", kind: "sqs-queue", arn: "arn:{partition}:sqs:{region}:{account}:{id}",
			id: like(queueName), idLike: "orders", revertTakes: 3 * time.Minute,
		},
		resources: "sqs", limit: 8192, statements: 20,
		actions: sqsActions(),
		get: func(ctx context.Context, c aws.Config, of owned) (policied, error) {
			out, err := sqs.NewFromConfig(c).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(queueURL(of.arn)), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNamePolicy}})
			if err != nil {
				none := []string{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}
				return policied{gone: slices.Contains(none, cloud.Code(err))}, cloud.Failed("read the policy of queue "+of.id, err, none...)
			}
			return policied{text: out.Attributes[policy]}, nil
		},
		put: func(ctx context.Context, c aws.Config, of owned, p policied) error {
			_, err := sqs.NewFromConfig(c).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: aws.String(queueURL(of.arn)), Attributes: map[string]string{policy: p.text}})
			return cloud.Failed("write the policy of queue "+of.id, err)
		},
	}.fault()
}

// queueURL is the URL that names the queue with an ARN.
func queueURL(arn string) string {
	parts := strings.Split(arn, ":")
	region, account, name := parts[3], parts[4], parts[5]
	return "https://sqs." + region + ".amazonaws.com/" + account + "/" + name
}

// sqsActions are those that use data.
func sqsActions() []string {
	return []string{"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
}
