// Package words writes numbers, times and texts as people read them: with the
// digits that they deserve, in lines that fit, and free of what a system under
// test could use to draw on a terminal.
package words
