package cloud

import (
	"cmp"
	"strings"

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

		"EC2/read":                         {100, 20},
		"EC2/write":                        {50, 5},
		"EC2/StartInstances":               {5, 2},
		"EC2/StartInstances instances":     {1000, 2},
		"EC2/StopInstances instances":      {1000, 20},
		"EC2/TerminateInstances":           {100, 5},
		"EC2/TerminateInstances instances": {1000, 20},
		"EC2/CreateTags":                   {100, 10},

		"SSM/read": {40, 40}, "SSM/write": {3, 3},
		"SSM/PutParameter": {3, 3},
		"Lambda/read":      {15, 15}, "Lambda/write": {15, 15},
		"STS/read": {100, 100}, "STS/write": {100, 100},
	}
}

// charges are what one call takes, and from which buckets. EC2 counts each API by
// itself, and for some also the instances that they act on.
func charges(service, operation string, input any) []charge {
	group, rates := "write", documented()
	if reads(operation) {
		group = "read"
	}
	bucket := service + "/" + operation
	full, own := rates[bucket]
	if !own {
		if service != "EC2" {
			bucket = service + "/" + group
		}
		full = cmp.Or(rates[service+"/"+group], rates[group])
	}
	all := []charge{{bucket, full, 1}}
	if n := actsOn(input); n > 0 {
		bucket += " instances"
		all = append(all, charge{bucket, rates[bucket], float64(n)})
	}
	return all
}

// actsOn is how many instances a call acts on, where EC2 counts those too. Whether
// it counts them for a dry run AWS does not say.
func actsOn(input any) int {
	switch in := input.(type) {
	case *ec2.StopInstancesInput:
		return len(in.InstanceIds)
	case *ec2.StartInstancesInput:
		return len(in.InstanceIds)
	case *ec2.TerminateInstancesInput:
		return len(in.InstanceIds)
	}
	return 0
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
