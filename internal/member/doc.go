// Package member is this process as a server of a ledger, beside others.
//
// A [Member] opens the ledger when it is first needed and has, once it joined, a lease
// in it. Its runs are stopped through it: by who asks its socket or halts the ledger,
// on this host also past a ledger that does not answer. It knows the other servers of
// this host, and asks them the same. What a run does, and how one is taken over, is
// not known here.
package member
