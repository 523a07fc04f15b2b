package control

import (
	"log/slog"

	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/registry"
)

// API is what the calls are answered from.
type API struct {
	Faults   *registry.Registry
	Proxies  func() []registry.ProxyStatus                 // all of them
	Attempts func(proxy string) (attempts.Watchable, bool) // those of a proxy; false: there is none that can be watched
	Held     func() (bytes, limit int64)                   // by delay lines
	Before   *Left                                         // the server before this one; nil if there was none
	Log      *slog.Logger
}
