// Package usestest holds kinds to what they declare. It runs a kind's work in
// another process, lets strace write down what that starts, opens and connects to,
// and compares it with the [mishap.Uses] of the very values that it worked with.
//
// A variable that is looked up is no system call and leaves no trace. What a
// declared command does after it was started is its own, and is not looked at.
package usestest
