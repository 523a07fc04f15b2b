// Package proxy is a TCP and UDP proxy that disturbs the traffic of open and new connections, live and without breaking one
// that a fault is not meant to break.
//
// Serve passes the connections of a list of listeners to their upstreams. A fault has an effect, which makes bytes late,
// few, lost or cut, or ends connections; it is injected, renewed and removed over HTTP on a unix socket (control.Client speaks it). A
// fault is a lease: it ends by itself unless it is renewed in time, and a server that restarts has none.
package proxy
