// Package attempts records what callers did at one proxy, and which requests met a fault there, while somebody watches.
// Nothing is recorded unless somebody has asked for it, and no longer than they said: a proxy should not remember who called
// it.
//
// A Recorder keeps the attempts that come; MetWatches keep the ids of requests that a run's faults hit, or would. Both end by
// themselves, with whoever looked.
package attempts
