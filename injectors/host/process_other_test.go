//go:build !linux

package injectors_test

import (
	"mishap"
	"mishap/internal/injectortest"
)

func platformWorlds() map[string]injectortest.World { return nil }

func skippedHere(k mishap.InjectorKind) bool { return k.LinuxOnly }
