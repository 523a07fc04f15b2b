package analysis

import "math"

// sizes is how many sizes of harm are bet on at once; 6 to 16 measure alike.
const sizes = 8

// geometric gives n points from lo to hi whose logarithms are evenly spaced.
func geometric(lo, hi float64, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = lo * math.Pow(hi/lo, float64(i)/float64(n-1))
	}
	return all
}

// logRatiosUp are the bets on more failures or more events: the logarithms of
// ratios from 1.3 to 80.
func logRatiosUp() []float64 { return geometric(math.Log(1.3), math.Log(80), sizes) }

// logRatiosDown are the bets on fewer events: ratios from 0.96 to 0.05.
func logRatiosDown() []float64 {
	all := geometric(0.04, 3, sizes)
	for i := range all {
		all[i] = -all[i]
	}
	return all
}

func uniform(n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = -math.Log(float64(n))
	}
	return all
}
