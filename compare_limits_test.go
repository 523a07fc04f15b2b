package mishap_test

import (
	"testing"
	"time"

	"mishap"
)

// TestAFaultThatIsInHardlyLongerThanAtLeastIsSaid: what is told late counts only while the fault is in force.
func TestAFaultThatIsInHardlyLongerThanAtLeastIsSaid(t *testing.T) {
	for _, c := range []struct {
		lasts, late time.Duration
		write       string
	}{
		{time.Minute, 0, "write for: 2m, or atLeast: 30s"},
		{62 * time.Second, 0, "write for: 2m, or atLeast: 31s"},
		{63 * time.Second, 0, ""},
		{90 * time.Second, 31 * time.Second, "write for: 2m2s, or atLeast: 45s"},
		{92 * time.Second, 31 * time.Second, ""},
		{59 * time.Second, 0, ""}, // an error of its own
	} {
		why, write := mishap.Compare{AtLeast: mishap.Duration(time.Minute)}.Tight(c.lasts, c.late)
		if write != c.write || (why == "") != (write == "") {
			t.Errorf("%s, told %s late: %q, %q", c.lasts, c.late, why, write)
		}
	}
}
