package analysis

import "errors"

// What a caller may tell apart. What is refused changes no evidence.
var (
	// ErrPlan is a plan that cannot be carried out as written.
	ErrPlan = errors.New("plan of the comparison is invalid")
	// ErrBucket is data that cannot be: a negative count, more successes than
	// requests, a gauge that is not a number, a width of zero.
	ErrBucket = errors.New("bucket is invalid")
	// ErrOrder is what is older than what was consumed already.
	ErrOrder = errors.New("bucket is late or overlaps")
	// ErrScheme is a latency histogram whose bounds are not those of before.
	ErrScheme = errors.New("histogram bounds changed")
	// ErrBounds is a histogram that cannot tell the margin.
	ErrBounds = errors.New("bounds of the histogram are too far apart")
	// ErrReset is a running total that fell, or a book that began anew: what it
	// had is lost, and so is the comparison.
	ErrReset = errors.New("counter was reset")
	// ErrClocks is two arms that do not speak of the same time.
	ErrClocks = errors.New("arms are not of the same time")
	// ErrShort is too little data to answer.
	ErrShort = errors.New("too little data")
)
