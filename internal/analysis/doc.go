// Package analysis compares a control arm with an experiment arm while their
// traffic flows, and says when enough is known: deviated (harm beyond a margin
// is shown), held (no harm beyond any margin, for at least as long as was
// asked), or inconclusive, with the reason.
//
// It is pure: no clock, no I/O, no randomness; the same sums give the same
// answer. One interval per row decides, and is what is shown: how much more of
// the experiment's requests are bad than of control's, right at every look.
//
//   - The arm is drawn by unit (a user, a target), so that chance is of units:
//     the variance is that of the units' own sums, at the null, and never less
//     than independent requests would have ([pair.at]).
//   - Evidence is a mixture over the size of harm, in information time
//     ([mixture]); it may be looked at as often as one likes.
//   - Users' first requests are exact ([first]), and so are few units ([few]).
//   - Both arms beside their own baseline ([guard]): nobody drew lots there, so
//     that it stops, or keeps from being held, and is never called harm.
//
// docs/verdicts.md has formulas, sources and what was measured.
package analysis
