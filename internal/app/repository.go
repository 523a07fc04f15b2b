package app

import (
	"fmt"

	"mishap"
	"mishap/experiments"
	"mishap/internal/config"
)

func (s *serving) newRepository(src config.Source, _ experiments.Options) (reader, error) {
	return nil, invalid{mishap.WithHint(fmt.Errorf("source %s: repositories are not built yet", src.Name), "give a folder, and let something else pull it")}
}
