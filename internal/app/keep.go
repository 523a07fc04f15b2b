package app

import (
	"os"
	"path/filepath"
	"time"

	"mishap"
	"mishap/injectors"
	"mishap/internal/cloud"
	"mishap/internal/keeper"
)

// Keep is the life of a keeper process. It reads no settings, so that nothing
// that changes during a run can change how it ends.
func Keep(state, run string, revertWithin, lease time.Duration, around Around) error {
	kinds := injectors.Recorded((&App{cloud: cloud.New()}).injectorDeps())
	return keeper.Serve(keeper.ServeOptions{
		In: os.Stdin, Out: os.Stdout, Dir: filepath.Clean(state), Run: run, RevertWithin: revertWithin, Lease: lease,
		Restore: func(in mishap.Injection) (mishap.Injector, error) {
			injector, err := mishap.Restore(kinds, in)
			return toldInjector{injector, around}, err
		},
	})
}
