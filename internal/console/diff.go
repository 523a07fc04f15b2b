package console

// diffLine is a line of what two texts have or not, with its number in each; 0 where
// it is not.
type diffLine struct {
	Was, Is int
	Text    string
	Skipped int // lines that both have, instead of one
}

const (
	around    = 3    // lines that both have, around what differs
	mostApart = 1000 // lines of each, between the first and the last that differ
)

// compare says how one text became another: nil if they are the same. Of texts that
// are too far apart it says only that.
func compare(was, is []string) (_ []diffLine, tooFar bool) {
	first := 0
	for first < len(was) && first < len(is) && was[first] == is[first] {
		first++
	}
	last := 0
	for last < len(was)-first && last < len(is)-first && was[len(was)-1-last] == is[len(is)-1-last] {
		last++
	}
	a, b := was[first:len(was)-last], is[first:len(is)-last]
	if len(a) == 0 && len(b) == 0 {
		return nil, false
	}
	if len(a) > mostApart || len(b) > mostApart {
		return nil, true
	}
	var all []diffLine
	for i := range first {
		all = append(all, diffLine{Was: i + 1, Is: i + 1, Text: was[i]})
	}
	all = append(all, between(a, b, first)...)
	for i := range last {
		at := diffLine{Was: len(was) - last + i + 1, Is: len(is) - last + i + 1}
		at.Text = was[at.Was-1]
		all = append(all, at)
	}
	return folded(all), false
}

// between is what differs, by the longest sequence of lines that both have.
func between(a, b []string, before int) (all []diffLine) {
	common := make([][]int16, len(a)+1) // of what comes from there on
	for i := range common {
		common[i] = make([]int16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			all = append(all, diffLine{Was: before + i + 1, Is: before + j + 1, Text: a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			all = append(all, diffLine{Was: before + i + 1, Text: a[i]})
			i++
		default:
			all = append(all, diffLine{Is: before + j + 1, Text: b[j]})
			j++
		}
	}
	return all
}

// folded leaves out what both have, but for some lines around what differs.
func folded(all []diffLine) (short []diffLine) {
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Was == 0 || l.Is == 0 {
			for j := max(0, i-around); j <= min(len(all)-1, i+around); j++ {
				near[j] = true
			}
		}
	}
	for i, l := range all {
		switch {
		case near[i]:
			short = append(short, l)
		case len(short) > 0 && short[len(short)-1].Skipped > 0:
			short[len(short)-1].Skipped++
		default:
			short = append(short, diffLine{Skipped: 1})
		}
	}
	return short
}
