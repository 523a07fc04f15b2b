package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// setUpNamespace makes the loopback of a new network namespace usable. It refuses to touch any other.
func setUpNamespace() error {
	if routes, err := os.ReadFile("/proc/net/route"); err == nil && strings.Count(string(routes), "\n") > 1 {
		return errors.New("this network namespace has routes: run .ci/bench-proxy, which makes one of its own")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("take lo up: %w", err)
	}
	// bbr paces, which halves what loopback can do; reno is always there.
	for file, value := range map[string]string{"tcp_congestion_control": "reno", "ip_local_port_range": "10000 65001"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+file, []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", file, err)
		}
	}
	return nil
}
