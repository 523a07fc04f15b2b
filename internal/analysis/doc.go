// Package analysis compares a control arm with an experiment arm while their
// traffic flows, and says when enough is known: abort (harm is shown), clear
// (no harm beyond the margin), or inconclusive.
//
// It is pure: no clock, no I/O, no randomness; the same buckets give the same
// answer, and a [Comparison] that was written as JSON and read back goes on
// bit for bit as if it had never stopped.
//
// # Why it may be looked at every fifth of a second
//
// Evidence is an e-process: a number that starts at 1 and that, were there no
// harm, would be expected never to grow. By Ville's inequality it then ever
// reaches 1/alpha with probability at most alpha, however often and whenever
// one looks (Ville 1939; Ramdas, Grünwald, Vovk, Shafer 2023). All values here
// are natural logarithms: alpha 0.01 is reached at 4.60517.
//
// # What is assumed, everywhere
//
//   - Counted things (requests, users, starts) are independent given the past,
//     unless a dispersion or a block says otherwise. Retries and sessions make
//     them dependent: count first attempts per unit, or measure [Dispersion].
//   - Nothing is assumed about how rates change over time, as long as they
//     change for both arms alike.
//   - A bucket is closed: it holds what started within it, and is never
//     revised. Guesses (rates, latency shapes) use earlier buckets alone.
//
// The names F1, F2, F4 to F7 of formulas are those of docs/analysis.md, which
// also has what was measured.
package analysis
