// Package engine runs experiments: it plans, begins a run in the ledger, carries it
// out with a keeper, and takes over what lost servers left.
//
// [Engine] has what begins here, [Takeover] what began elsewhere. Whether something is
// due, and who may ask for it, is not known here.
package engine
