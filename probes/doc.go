// Package probes is the catalog of measurements: what an experiment may ask a
// system to find out whether it works. One file each.
//
// A probe tells three things apart: what was expected was seen (met), something
// else was, or nothing was in time (unmet), and the measuring itself failed
// (unknown). A refused or reset connection is an answer of the system: unmet. A
// metrics server that is down says nothing about the system: unknown.
package probes
