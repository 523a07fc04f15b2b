// Package metrics is where the numbers of two arms come from: a catalog of
// sources, each of which gives what both arms did, in closed buckets of time.
//
// A source never guesses. What it cannot know (a scrape that failed, a counter
// that was reset, a bucket that was lost) it leaves out, and says so: the time
// then counts as missing, and a comparison that misses too much of it clears
// nothing. A bucket that was given is never given again, and never revised.
package metrics
