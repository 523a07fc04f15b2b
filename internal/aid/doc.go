// Package aid reverts from undo files alone, and accounts for the files.
//
// What a dead keeper left is reverted at once, whatever the ledger does; see "First
// revert, then ask" in ARCHITECTURE.md. A file of no known run is told of, one that
// cannot be read stands aside until a person has settled it, and one whose run is
// over is removed. Bringing a run to its end in the ledger is not done here.
package aid
