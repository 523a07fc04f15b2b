package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"mishap"
	"mishap/internal/cloud"
)

const tableName = `^[\w.-]{3,255}$`

func dynamodbDeny() fault[denyWith] {
	const noTable, noPolicy = "ResourceNotFoundException", "PolicyNotFoundException"
	return denying{
		about: about{
			name:    "dynamodb-deny",
			symptom: mishap.SymptomWrong,
			doc: "Those who use the table or its indexes get AccessDeniedException. No item changes. " +
				"A policy that somebody writes at the same moment is not overwritten: DynamoDB refuses one of both.",
			example: "injector: dynamodb-deny\ntargets: {names: [orders]}\nwith: {actions: [\"dynamodb:PutItem\", \"dynamodb:UpdateItem\"]}\nfor: 5m",
			settles: 20 * time.Second,
			do:      []allow{reading(findingTagged), acting("dynamodb:GetResourcePolicy", "dynamodb:PutResourcePolicy")},
			undo:    []allow{acting("dynamodb:GetResourcePolicy", "dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy")},
			noun:    "table", kind: "dynamodb-table", arn: "arn:{partition}:dynamodb:{region}:{account}:table/{id}",
			id: like(tableName), idLike: "orders", revertTakes: 2 * time.Minute,
		},
		resources: "dynamodb:table", limit: 20480,
		actions: dynamodbActions(),
		covers:  func(arn string) []string { return []string{arn, arn + "/index/*"} },
		get: func(ctx context.Context, c aws.Config, of owned) (policied, error) {
			out, err := dynamodb.NewFromConfig(c).GetResourcePolicy(ctx, &dynamodb.GetResourcePolicyInput{ResourceArn: aws.String(of.arn)})
			if err != nil {
				return policied{gone: cloud.Code(err) == noTable, revision: "NO_POLICY"}, cloud.Failed("read the policy of table "+of.id, err, noTable, noPolicy)
			}
			return policied{text: aws.ToString(out.Policy), revision: aws.ToString(out.RevisionId)}, nil
		},
		put: func(ctx context.Context, c aws.Config, of owned, p policied) (err error) {
			if p.text == "" {
				_, err = dynamodb.NewFromConfig(c).DeleteResourcePolicy(ctx, &dynamodb.DeleteResourcePolicyInput{ResourceArn: aws.String(of.arn), ExpectedRevisionId: aws.String(p.revision)})
			} else {
				_, err = dynamodb.NewFromConfig(c).PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: aws.String(of.arn), ExpectedRevisionId: aws.String(p.revision), Policy: aws.String(p.text)})
			}
			return cloud.Failed("write the policy of table "+of.id, err)
		},
	}.fault()
}

// dynamodbActions are those that use data.
func dynamodbActions() []string {
	return []string{"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:ConditionCheckItem",
		"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
		"dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"}
}
