// Package fault says what a fault in a proxy's traffic is, and what kinds there are. It is pure: it has no clock and does no
// I/O, and knows neither which faults are in force nor the connections that they act on.
//
// A Fault has an Effect, one of a kind. Each kind is a file of its own, and says what it acts on by the methods that it has:
// a Shaper on the bytes of streams, an Arrival on connections that come, a Deadline on connections as a whole, Datagrams on
// what their name says; what faults do to requests is a rule of package forward. Whoever passes traffic asks for those, and
// never for a kind.
package fault
