package cloud

import (
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// told is how exactly an answer tells the time: to the second, and some time later.
const told = 2 * time.Second

// clock is how far AWS's clock is ahead of this machine's, by the last answer.
type clock struct{ ahead atomic.Int64 }

// set takes the time from what is known of an answer.
func (c *clock) set(answer middleware.Metadata) {
	if ahead, is := awsmiddleware.GetAttemptSkew(answer); is {
		c.ahead.Store(int64(ahead))
	}
}

// Now is the time by AWS's clock, as the calls of the configuration have told it;
// this machine's, where that is not more than 2 s from it, or before any call.
func Now(cfg aws.Config) time.Time {
	for _, source := range cfg.ConfigSources {
		if c, is := source.(*clock); is {
			if ahead := time.Duration(c.ahead.Load()); ahead.Abs() > told {
				return time.Now().Add(ahead)
			}
		}
	}
	return time.Now()
}
