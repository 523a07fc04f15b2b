// Package registry holds the faults that are in force on the proxies of a server, and what each of them did. A fault is a
// lease: it ends by itself unless it is renewed in time.
//
// The registry knows a proxy as a Port, which it tells the faults to obey; none of its calls waits for a peer. Whoever
// passes traffic counts what an Active fault did in its Counters. Arms have a book, which counts the requests of both in
// buckets. A proxy may have an owner, the run that judges it: others are refused, and a hand that disturbs it is told of.
package registry
