package socket

import (
	"net/http"
	"time"
)

// RequestWithin is how long a whole request may take, with its body.
const RequestWithin = 10 * time.Second

// Server answers with h, and waits for no request that does not come. Handlers
// hold the connections of whom they know.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: RequestWithin / 2, ReadTimeout: RequestWithin, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ConnContext: WithConn}
}
