package vault

import "mishap"

// What tests outside of the package look at.
const (
	HeldFor = heldFor
)

func Pack(run, by string, all []mishap.Injection) ([]Record, []string, error) {
	return pack(run, by, all)
}

func ParseRecord(text string) (Record, error) { return parseRecord(text) }

func ParseMark(text string) error { _, err := parseMark(text); return err }

func (r Record) Whole() []mishap.Injection { return r.whole() }
func (r Record) Text() (string, error)     { return r.text() }

func Bare(in mishap.Injection) mishap.Injection { return bare(in) }

func RecordName(run string, n int) string { return recordName(run, n) }
func HoldName(run string) string          { return holdName(run) }
func ClaimName(thing string) string       { return claimName(thing) }
