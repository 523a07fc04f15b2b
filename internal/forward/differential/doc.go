// Package differential holds no code but a test: the same client asks the same upstream directly, through nginx, and
// through mishap proxy without a fault in. What a proxy adds of its own shows in the comparison.
package differential
