package words_test

import (
	"testing"

	"mishap"
	"mishap/internal/report/words"
)

func TestOutcomesAreToldApartWithoutColours(t *testing.T) {
	seen := map[string]string{}
	for _, word := range []string{string(mishap.Held), string(mishap.Deviated), string(mishap.Inconclusive), string(mishap.Refused), string(mishap.Stranded), string(mishap.Holding), "due"} {
		s := words.SignOf(word)
		for _, sign := range []string{s.Class, s.Sign, s.Emoji} {
			if other := seen[sign]; other != "" || sign == "" {
				t.Errorf("%q is the sign of %s and %s", sign, other, word)
			}
			seen[sign] = word
		}
	}
	if words.SignOf(words.Standing(mishap.NoVerdict, mishap.Refused)) != words.SignOf("refused") || words.Standing(mishap.Held, mishap.Completed) != "held" {
		t.Error("a run without a verdict does not stand where its state is")
	}
}
