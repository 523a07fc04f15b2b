// Package callers says what the callers of a dependency do when it fails, from nothing but the attempts that a proxy in
// front of it saw: how often they try, how long they pause and whether that grows or varies, how long they wait, and when
// they stop calling. It is pure: attempts in, a [Report] out; no clock, no I/O, no randomness.
//
// What is assumed, and where it breaks:
//
//   - All attempts of one request have the same id, and pass this one proxy. With a second proxy beside it, attempts are
//     missing, and pauses look longer than they are.
//   - The pause before an attempt is from the end of the one before to its start, both as the proxy saw them. It holds the
//     caller's own work and a new connection: a few milliseconds that are never negative, with a long tail. What is said of
//     pauses is said of many requests together, by statistics that a tail does not move.
//   - Callers that are told apart have one policy each. Several policies behind one address are noticed where each keeps
//     its pauses, and are then not judged.
//
// How pauses are told apart, with what error, is in backoff.go and jitter.go; the simulations in the tests hold it.
package callers
