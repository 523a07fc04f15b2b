//go:build !linux

package host_test

import "mishap/internal/injectortest"

func platformWorlds() map[string]injectortest.World { return nil }
