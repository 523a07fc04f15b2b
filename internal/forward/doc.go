// Package forward is the HTTP data path of the proxy: it serves one accepted connection until it ends, passes its
// requests on to the upstream, and does to some of them what the faults in force say.
//
// HTTP/1 is parsed and forwarded by this package, strictly: a message that RFC 9110 or RFC 9112 calls malformed, or that
// two parsers could read in two ways, is refused and never repaired, so nothing of it reaches the other side. What is
// well formed goes on as it came: the order and the case of the fields, the Host, the chunks and the trailers. Only the
// fields that concern one hop are taken out. Requests of one connection are answered one after another, over one
// connection to the upstream. HTTP/2 uses net/http on both sides, and looks at the frames below it; a client connection has
// upstream connections of its own, most often one.
//
// A [Rule] says which requests it is about and what happens to them. A [Fault] is a rule in force, on a [Board] that many
// connections share. Whoever changes the board never waits for a request, and every request that is held looks at the
// board again at once: a fault that is taken off lets go of what it holds.
//
// Delay is faithful to a slow network. A client that has sent its end (FIN) may still be waiting for its answer, so a
// held request goes on when it is due, and the end after it; a client that is gone (RST) ends the request at once.
//
// The package is a transparent gateway: it adds no Via or X-Forwarded-For, and keeps HTTP/1.0 requests HTTP/1.0.
package forward
