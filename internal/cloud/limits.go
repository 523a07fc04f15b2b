package cloud

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// charge is what a call takes from a bucket.
type charge struct {
	bucket string // of calls that share it
	rate   rate
	tokens float64
}

// documented is what AWS says of its request rates, per account and region; and,
// where it says nothing, what is never too much.
func documented() map[string]rate {
	return map[string]rate{
		"read":  {20, 10},
		"write": {10, 5},

		"EC2/read":                         {100, 20}, // of each call by itself
		"EC2/write":                        {50, 5},
		"EC2/StopInstances instances":      {1000, 20},
		"EC2/StartInstances instances":     {1000, 2},
		"EC2/TerminateInstances instances": {1000, 20},

		"Lambda/read": {15, 15}, "Lambda/write": {15, 15},
		"SSM/read": {40, 40}, "SSM/write": {3, 3},
		"STS/read": {100, 100}, "STS/write": {100, 100},
	}
}

// charges are what one call takes, and from which buckets.
func charges(service, operation string, input any) []charge {
	group, rates := "write", documented()
	if reads(operation) {
		group = "read"
	}
	full, ok := rates[service+"/"+group]
	if !ok {
		full = rates[group]
	}
	if service != "EC2" {
		return []charge{{service + "/" + group, full, 1}}
	}
	all := []charge{{"EC2/" + operation, full, 1}}
	if n := actsOn(input); n > 0 {
		each := "EC2/" + operation + " instances"
		all = append(all, charge{each, rates[each], float64(n)})
	}
	return all
}

// actsOn is how many instances a call acts on, where EC2 counts those too.
func actsOn(input any) int {
	switch in := input.(type) {
	case *ec2.StopInstancesInput:
		return unlessDry(in.DryRun, in.InstanceIds)
	case *ec2.StartInstancesInput:
		return unlessDry(in.DryRun, in.InstanceIds)
	case *ec2.TerminateInstancesInput:
		return unlessDry(in.DryRun, in.InstanceIds)
	}
	return 0
}

func unlessDry(dry *bool, ids []string) int {
	if aws.ToBool(dry) {
		return 0
	}
	return len(ids)
}

// reads reports whether a call of that name changes nothing.
func reads(operation string) bool {
	for _, verb := range []string{"Describe", "Get", "List", "Head", "Search", "Simulate"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}
