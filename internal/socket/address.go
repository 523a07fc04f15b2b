package socket

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// CheckAddress checks the form host:port, with a port from lowest to 65535.
func CheckAddress(address string, lowest int) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("write host:port, for example 127.0.0.1:8080")
	}
	if n, err := strconv.Atoi(port); err != nil || n < lowest || n > 65535 {
		return fmt.Errorf("port %q must be a number from %d to 65535", port, lowest)
	}
	return nil
}
