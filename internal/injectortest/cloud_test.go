package injectortest_test

import (
	"testing"
	"time"

	"mishap"
	"mishap/internal/injectortest"
)

func TestTheCloudConforms(t *testing.T) {
	c := &injectortest.Cloud{Stops: 3 * time.Second, Starts: 2 * time.Second, Stale: 5 * time.Second}
	w := injectortest.World{
		Kind: c.Kind(), Fake: true, Fates: c.Judge, Stale: func(d time.Duration) { c.Stale = d },
		Empty:    injectortest.Fault("cloud-stop", []string{"i-3"}, nil),
		Untraced: "it is in memory",
	}
	c.Stale = 0
	w.Fault = func(*testing.T) mishap.Fault {
		c.Judge(nil)
		c.Run("i-1", "i-2")
		c.Remove("i-3")
		return injectortest.Fault("cloud-stop", []string{"i-1", "i-2"}, nil)
	}
	w.Snapshot = func(*testing.T) string { return c.State("i-1") + " " + c.State("i-2") + " " + c.State("i-3") }
	w.Remove = func(*testing.T) { c.Remove("i-1"); c.Remove("i-2") }
	injectortest.Conform(t, w)
}
