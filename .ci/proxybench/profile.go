package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"

	"mishap/internal/proxy"
	"mishap/internal/proxy/listener"
)

// serveProfiled is mishap proxy with a CPU profile, which the program itself does not offer.
func serveProfiled(path, host string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	dir, err := os.Getwd() // the scratch directory of the bench
	if err != nil {
		return err
	}
	var list []listener.Config
	for _, s := range services() {
		list = append(list, listener.Config{Name: s.name, Listen: address(s.listen), Upstream: (&bench{host: host}).upstreamAt(s),
			Control: filepath.Join(dir, "control")})
	}
	err = proxy.Serve(ctx, proxy.Options{Listeners: list})
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}
