// Package api is what a server and whoever asks it say to each other: the bodies
// of its API, what happens in it, and the client of `--server`.
//
// The names of the types are those of the API's document (OpenAPI), and what they
// hold is a public format. How a server answers is not known here.
package api
