//go:build race

package usestest

// raced is whether the race detector is on, which takes a second to start, and
// sees nothing of what is looked at here.
const raced = true
