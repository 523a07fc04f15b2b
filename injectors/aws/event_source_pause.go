package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

const mappingID = `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`

func eventSourcePause() fault[target.NoParams] {
	is := about{
		name:    "event-source-pause",
		symptom: mishap.SymptomSlow,
		summary: "pauses event source mappings of Lambda, and enables them again",
		doc: "The function is no longer called for what comes from the queue, stream or topic; it piles up there, and what the source does not keep as long is lost. " +
			"Only enabled mappings are taken, by their UUIDs or tags. It takes Lambda up to a minute to pause one, and to go on where it stopped.",
		example:  "injector: event-source-pause\ntargets: {tags: {Role: payments}}\nfor: 10m",
		whenLost: "the mappings stay disabled until `mishap revert` or `mishap sweep`, or until somebody enables them",
		settles:  lambdaSettles, revertTakes: 5 * time.Minute,
		do:   []allow{reading(findingTagged), acting("lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping")},
		undo: []allow{acting("lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping")},
		noun: "event-source-mapping", kind: "lambda-event-source-mapping", arn: "arn:{partition}:lambda:{region}:{account}:event-source-mapping:{id}",
		attribute: "state", normal: "Enabled", injecting: "Disabling",
		id: like(mappingID), idLike: "14e0db71-5d35-4eb5-b481-8945cf9d10c2", byName: true,
	}
	return fault[target.NoParams]{
		about: is,
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) ([]thing, error) {
			found, err := is.tagged(ctx, c, t, "lambda:event-source-mapping")
			return lookedAt(found, err, func(one *thing) (err error) {
				one.now, err = mappingLook(ctx, c, one.id)
				return err
			})
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			return enable(ctx, c, on.id, false)
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			return enable(ctx, c, on.id, true)
		}),
		read: lookEach(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) (look, error) {
			return mappingLook(ctx, c, on.id)
		}),
	}
}

// mappingLook is what a mapping's state means where a disabled one is the fault.
func mappingLook(ctx context.Context, c aws.Config, id string) (look, error) {
	out, err := newLambda(c).GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: aws.String(id)})
	if err != nil {
		return look{gone, "deleted"}, cloud.Failed("look at event source mapping "+id, err, noFunction)
	}
	means := map[string]status{"Enabled": normal, "Enabling": changing, "Creating": changing, "Updating": changing, "Disabling": injecting, "Disabled": injected}
	state := aws.ToString(out.State)
	if s, alive := means[state]; alive {
		return look{s, state}, nil
	}
	return look{gone, state}, nil
}

// enable asks for a mapping to go on, or to pause. One that is on its way elsewhere
// cannot yet.
func enable(ctx context.Context, c aws.Config, id string, on bool) error {
	_, err := newLambda(c).UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: aws.String(id), Enabled: aws.Bool(on)})
	what := map[bool]string{true: "enable", false: "disable"}[on]
	if on {
		return cloud.Failed(what+" event source mapping "+id, err, "ResourceInUseException")
	}
	return cloud.Failed(what+" event source mapping "+id, err)
}
