// Package safeguards is the catalog of what may refuse a plan before it starts
// and stop a run at any moment, one file each.
//
// Those that are always on are asked for every plan with the settings that
// [Deps] carries; the others when an experiment names them. All of them answer
// nil for yes, a [mishap.Veto] for no, and any other error when they could not
// tell, which stops as well.
package safeguards
