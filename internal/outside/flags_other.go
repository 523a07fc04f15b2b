//go:build !unix

package outside

const nonBlocking = 0
