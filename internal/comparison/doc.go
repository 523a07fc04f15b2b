// Package comparison compares the arms of a run while it goes on: it takes
// closed buckets from the sources of the metrics, has them weighed by
// [mishap/internal/analysis], and says what is known about once a second.
//
// Before the fault the arms are watched alone (the baseline): that shows
// whether they can be compared at all, how long it will take, and what is usual
// for control, against which it is judged later too: arms that share processes
// may share the harm.
package comparison
