// Package ci says what came out of several runs where a build is looked at: as a
// line per run, as a table for the page of the build, and as notes at the lines
// of the files that the runs are of.
package ci
