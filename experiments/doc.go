// Package experiments reads, validates and describes experiment files.
//
// One YAML file is one experiment. [Load] reads files and folders and answers
// either with experiments that are complete, checked against the catalogs and
// carry where they came from, or with [Problems]: everything that is wrong, at
// its line and column, with what to do about it. [Schema] is the law of the
// file as JSON Schema, [Library] holds the experiments that are shipped, and
// [Init] writes a first one.
//
// # Strictness
//
// The file decides what is harmed, so nothing in it is guessed or ignored: no
// anchors, merge keys, tags or second documents; no key without a value; no
// yes or on that might be a boolean; no character that shows a reader
// something else than what is there.
//
// # Limits of this package
//
// It talks to nothing but the file system and, for provenance, the git binary.
// It does not resolve secrets or targets.
package experiments
