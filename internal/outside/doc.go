// Package outside is how mishap meets what it does not control: files whose paths
// and hosts whose addresses are written in experiments.
package outside
