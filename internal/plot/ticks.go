package plot

import "math"

// Ticks are round values between min and max, about n of them.
func Ticks(low, high float64, n int) []float64 {
	if !finite(low) || !finite(high) || high <= low || n < 1 {
		return nil
	}
	step := niceStep((high-low)/float64(n), []float64{1, 2, 2.5, 5, 10}, 10)
	return multiples(low, high, step)
}

// TimeTicks are round times in seconds between min and max, about n of them.
func TimeTicks(low, high float64, n int) []float64 {
	if !finite(low) || !finite(high) || high <= low || n < 1 {
		return nil
	}
	rough := (high - low) / float64(n)
	if rough <= 10 {
		return Ticks(low, high, n)
	}
	for _, step := range []float64{15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400} {
		if step >= rough {
			return multiples(low, high, step)
		}
	}
	return multiples(low, high, math.Ceil(rough/86400)*86400)
}

// LogTicks are 1, 2 and 5 times the powers of ten between min and max; only the
// powers where that would be many, and each digit where it would be few.
func LogTicks(low, high float64) []float64 {
	if !finite(low) || !finite(high) || low <= 0 || high <= low {
		return nil
	}
	digits := []float64{1, 2, 5}
	switch {
	case high/low > 1000:
		digits = []float64{1}
	case high/low < 10:
		digits = []float64{1, 1.5, 2, 3, 4, 5, 7}
	}
	var all []float64
	for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
		for _, d := range digits {
			if v := d * power; v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				all = append(all, v)
			}
		}
	}
	return all
}

// niceStep is the least of the digits times a power that is at least rough.
func niceStep(rough float64, digits []float64, base float64) float64 {
	power := math.Pow(base, math.Floor(math.Log(rough)/math.Log(base)))
	for _, d := range digits {
		if d*power >= rough*(1-1e-9) {
			return d * power
		}
	}
	return base * power
}

// multiples of step from low to high; never more than a hundred.
func multiples(low, high, step float64) []float64 {
	var all []float64
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9 && len(all) < 100; i++ {
		all = append(all, i*step+0) // not minus zero
	}
	return all
}
