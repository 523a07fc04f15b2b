package awsfake

import "time"

// New makes an AWS in which there is nothing yet.
func New(s Settings) *Cloud {
	if s.Now == nil {
		s.Now = time.Now
	}
	c := &Cloud{
		Settings: s,
		docs:     map[string]*history{}, places: map[Place]bool{}, buckets: map[string]*bucket{}, keys: map[string]identity{},
		guards: map[string][]guardrail{}, off: map[Place]bool{}, looking: map[string]bool{},
		services: map[string]Service{ // by the name that requests are signed for
			"ec2": ec2(), "autoscaling": autoScaling(), "sts": sts(), "iam": iam(), "ssm": ssm(),
			"lambda": lambda(), "sqs": sqs(), "s3": s3(), "dynamodb": dynamoDB(), "kinesis": kinesis(),
			"tagging": tagging(), "resource-groups": resourceGroups(), "cloudformation": cloudFormation(),
		},
	}
	c.noticed = c.tendAfter
	return c
}
