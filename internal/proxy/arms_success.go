package proxy

import (
	"net/http"

	"mishap/internal/forward"
)

// succeeded says whether a request was served as it should be. What the client did wrong is no failure; that it left before
// it had an answer is one, for it has none.
func succeeded(x *forward.Exchange, answered bool) bool {
	switch x.Failure {
	case forward.None, forward.BadRequest, forward.RequestTimeout:
	case forward.ClientGone:
		return answered
	default:
		return false
	}
	if x.GRPC >= 0 {
		return !serverError(x.GRPC)
	}
	return x.Status > 0 && x.Status < http.StatusInternalServerError
}

// serverError says whether a status of gRPC is an error of the server: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
// UNAVAILABLE and DATA_LOSS, as OpenTelemetry's semantic conventions for RPC have it.
func serverError(code int) bool {
	switch code {
	case 2, 4, 12, 13, 14, 15:
		return true
	}
	return false
}
