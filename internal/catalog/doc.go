// Package catalog is the catalogs of faults, probes, safeguards and sources as the
// settings make them: what their kinds are handed, and what a server's settings let
// them start, read and reach.
//
// It loads experiments and says of each whether it is allowed. What it needs of the
// ledger are two functions. It plans nothing and runs nothing.
package catalog
