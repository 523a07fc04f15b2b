// Package awsfake is an AWS in memory, for tests alone.
package awsfake
