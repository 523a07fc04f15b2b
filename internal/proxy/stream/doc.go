// Package stream moves the bytes of TCP connections, and disturbs them as the faults of the moment want.
//
// Each direction of a connection has one pump. A pump either passes bytes on as they come, or puts them into a delay
// line, which asks the stages of the faults when, whether and in which pieces they go. To switch, the new plan is stored in
// an atomic pointer and the read deadline of the source is set to the past; the pump looks up and goes on with the new
// plan. Whoever changes a fault therefore never waits for a peer, and no lock is held across a send.
//
// Memory, buffers, pipes and timers are shared by all connections of a server ([Resources]).
package stream
