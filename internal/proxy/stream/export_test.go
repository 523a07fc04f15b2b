package stream

// Shares gives how much each of n lines, one after the other, may take of what they share in steps.
func Shares(shared, step int64, n int) []int64 {
	all := &Budget{limit: shared}
	taken := make([]int64, n)
	for i := range taken {
		own := &Budget{limit: wayBudget, parent: all}
		for own.Take(step) {
			taken[i] += step
		}
	}
	return taken
}
