// Package proxy is a TCP and UDP proxy that disturbs the traffic of open and new connections, live and without breaking one
// that a fault is not meant to break.
//
// Serve passes the connections of a list of listeners to their upstreams. A Fault has an Effect, which makes bytes late,
// few, lost or cut, or ends connections; it is put in, renewed and removed over HTTP on a unix socket (Client speaks it). A
// fault is a lease: it ends by itself unless it is renewed in time, and a server that restarts has none.
//
// Each direction of a connection has one pump. A pump either passes bytes on as they come, or puts them into a delay
// line, which asks the stages of the faults when, whether and in which pieces they go. To switch, the new plan is stored in
// an atomic pointer and the read deadline of the source is set to the past; the pump looks up and goes on with the new
// plan. Whoever changes a fault therefore never waits for a peer, and no lock is held across a send.
package proxy
