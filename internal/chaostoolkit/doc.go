// Package chaostoolkit reads experiments of Chaos Toolkit, as its version 1.19 runs
// them (https://chaostoolkit.org/reference/api/experiment/), and writes them as
// experiments of mishap. What mishap has no like of stays in the file as a comment, and
// is named: nothing is dropped, since every key that nobody took is a note.
package chaostoolkit
