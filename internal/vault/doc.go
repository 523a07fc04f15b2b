// Package vault keeps what reverting needs beside what the faults change, outside
// of ledger and state directory: who finds it needs neither.
//
// A vault is a store of small texts in the account and region of the targets, of
// which all names are below one path:
//
//	undo/RUN/N     a record: what reverts the injections of one call, see [Record]
//	holds/RUN      a mark: the owner of the run lives
//	claims/HASH    a mark: a thing is changed by one run, of whatever ledger
//
// A run claims each thing that it will change by making the mark, which succeeds
// once; looks whether the record of another run is about one of them; and writes its
// records. Only then may it inject. All of it stays until what it is about is out.
//
// Each text says how long its owner holds it, counted from when the store wrote it,
// and by the store's own clock: no two machines need agree on the time. A mark below
// holds prolongs all of a run at once, so that renewals cost one write each
// [renewEvery] in a place, whatever the run changes there. What is past its hold is
// anybody's to revert, and [Vaults.Sweep] does it.
package vault

import (
	"time"

	"mishap"
)

const (
	// heldFor is how long a text is its owner's since it was written.
	heldFor = time.Minute
	// renewEvery is how often that begins anew. A renewal may fail, and another.
	renewEvery = heldFor / 3
	// writeEvery is the time between two writes in one place that is reckoned with: a
	// parameter store takes three a second of an account in a region, by default.
	writeEvery = time.Second / 3
)

// Standstill is how long a process may stand still until what it holds may have been
// swept by others.
const Standstill = heldFor - renewEvery

// The folders of a vault.
const (
	recordsFolder = "undo"
	holdsFolder   = "holds"
	claimsFolder  = "claims"
)

// Keeps reports whether what reverts an injection belongs in a vault: it changes
// something in a cloud, where it outlives this machine.
func Keeps(in mishap.Injection) bool { return in.Target.Where.Account != "" }
