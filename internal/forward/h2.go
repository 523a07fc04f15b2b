package forward

import (
	"context"
	"net"
)

func (s *Server) serveHTTP2(ctx context.Context, conn net.Conn) { _, _ = ctx, conn }
