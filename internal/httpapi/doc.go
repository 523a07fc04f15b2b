// Package httpapi is the API of a server over HTTP: routes, who asks and what they may,
// and the audit of what they did and were refused.
//
// What it answers is in internal/api. It asks a [Server] for what only that knows, and
// reads the rest from the ledger.
package httpapi
