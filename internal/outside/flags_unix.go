//go:build unix

package outside

import "syscall"

const nonBlocking = syscall.O_NONBLOCK
