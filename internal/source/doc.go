// Package source reads the experiments of a source: of a folder, or of a git
// repository, which it mirrors and of which it hands out the files of one commit as a
// plain folder.
//
// A [Reader] answers a [Tree] whole or not at all. What a tree that was read is good
// for, and whether it is in force, is not known here.
package source
