package app

import "context"

// reloadLoop looks at every source now, each time it is asked to, and says what
// it left alone.
func (s *serving) reloadLoop(ctx context.Context, asked <-chan struct{}) {
	for {
		select {
		case <-asked:
		case <-ctx.Done():
			return
		}
		var names []string
		for _, src := range s.sources {
			s.refreshNow(src.Name)
			names = append(names, src.Name)
		}
		s.log.Info("reload: every source is looked at now", "sources", names)
		s.log.Warn("reload: settings, tokens and certificate are not read again; restart the server to put changed ones in force")
	}
}
