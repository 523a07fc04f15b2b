package fault

// The protocols that a proxy may pass.
const (
	TCP = "tcp"
	UDP = "udp"
	// HTTP is HTTP/1.1 and HTTP/2, and with that gRPC and WebSocket.
	HTTP = "http"
)
