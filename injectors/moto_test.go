package injectors_test

import (
	"testing"

	"mishap/internal/injectortest"
)

func ec2World(*testing.T) (injectortest.World, bool) { return injectortest.World{}, false }
