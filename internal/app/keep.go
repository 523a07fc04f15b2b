package app

import (
	"mishap/injectors"
	"mishap/internal/cloud"
)

// keeperDeps is what a keeper needs to inject and revert: no settings, so that
// nothing that changes during a run can change how it ends.
func (a *App) keeperDeps() injectors.Deps {
	a.cloud = cloud.New()
	return a.injectorDeps()
}
