// Package control is the control API of a proxy: what answers the calls, where it listens, the page of metrics, and the
// client that makes the calls. It knows what is in force from the registry, and the proxies by three functions.
package control
