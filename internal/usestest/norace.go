//go:build !race

package usestest

const raced = false
