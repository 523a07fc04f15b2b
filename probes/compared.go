package probes

// What an expectation compares with, as the file writes it; the types show an example of it.
type (
	comparedNumber string // an operator and a number
	comparedAmount string // and a number, a percentage or a duration
	comparedTime   string // and a duration
	comparedRate   string // and a number of times per second or minute
)

// Form is what errors show of how it is written.
func (comparedNumber) Form() (name, example string) { return "a comparison", `"<= 3"` }

// Form is what errors show of how it is written.
func (comparedAmount) Form() (name, example string) {
	return "a comparison", `"<= 10", "< 5%" or "<= 2s"`
}

// Form is what errors show of how it is written.
func (comparedTime) Form() (name, example string) { return "a comparison with a duration", `"<= 2s"` }

// Form is what errors show of how it is written.
func (comparedRate) Form() (name, example string) { return "a comparison with a rate", `"<= 1/s"` }
