package control

import (
	"bytes"

	"mishap/internal/proxy/fault"
)

// Decode reads a fault as the control API does, up to the registry.
func Decode(id string, body []byte) (fault.Fault, error) {
	f, err := decodeFault(id, bytes.NewReader(body))
	if err != nil {
		return f, err
	}
	f = f.WithDefaults()
	return f, f.Check()
}
