package worlds

import (
	"time"

	"mishap"
)

// End is how a run ended.
type End struct {
	Verdict mishap.Verdict
	After   time.Duration // the injection
	Reason  string
}
