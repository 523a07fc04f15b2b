// Package slots counts what the units of two arms did, without keeping a unit.
//
// A unit (a user, a target) falls into one of a fixed number of slots of its
// arm, and a slot is what is counted: units that are drawn independently add up
// without bias in the variance between slots, so that merging them costs a
// little power and no validity. Memory is fixed, nothing of a unit is stored,
// and what a [Book] tells are sums over slots ([Moments]), from which the
// analysis reads its estimate, its variance and its adjustment.
//
// A count belongs to the time when its request came, not when it ended: what
// came before the injection is baseline, however late it is counted.
package slots
