package app

import (
	"os"
	"path/filepath"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/keeper"
)

// Keep is the life of a keeper process. It reads no settings, so that nothing
// that changes during a run can change how it ends.
func Keep(state, run string, revertWithin, lease time.Duration, around Around) error {
	kinds := catalog.New(catalog.Options{Settings: &config.Settings{}})
	return keeper.Serve(keeper.ServeOptions{
		In: os.Stdin, Out: os.Stdout, Dir: filepath.Clean(state), Run: run, RevertWithin: revertWithin, Lease: lease,
		Restore: func(in mishap.Injection) (mishap.Injector, error) {
			injector, err := kinds.Restore(in)
			return toldInjector{injector, around}, err
		},
	})
}
