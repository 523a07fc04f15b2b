// Package toxiproxy answers the HTTP API of Toxiproxy 2.12, so that its clients in any language work unchanged.
//
// Listen takes an address; the Server that it gives is a proxy.API. Proxies that clients create are guests of the proxy's
// server, and a toxic is a fault there: it shows in `mishap proxy watch`, and its delays are measured as those of any fault.
// Proxies of the settings can have toxics, but only the settings change them.
//
// No handler waits for a peer: the body is read and names are resolved before the lock is taken, and whatever is done
// under it (listen, close, inject a fault or remove it) returns without one.
//
// Beside Toxiproxy's: a toxic may have `expires` ("30s", or milliseconds), after which it removes itself; times may have
// fractions; toxicity chooses connections once and for good. docs/toxiproxy.md lists where answers differ on purpose.
package toxiproxy
