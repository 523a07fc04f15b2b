package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"mishap/internal/spawn"
)

// reaction is what a verb does when it gets a signal.
type reaction string

const (
	stops    reaction = "stops"    // what is under way is reverted, or said, and the verb ends
	ends     reaction = "ends"     // at once
	drains   reaction = "drains"   // what is open may end; a second one ends at once
	reloads  reaction = "reloads"  // looks again at what it reads, and goes on
	restarts reaction = "restarts" // a successor takes over
	nothing  reaction = "nothing"  // it goes on
)

// reactions is the one table of signals, for every verb that lasts; the page
// docs/operations.md has the same one. Any other verb, and any other signal, does
// what the system does by default. PIPE does nothing anywhere: a write to a reader
// that is gone fails, and that is all.
func reactions(verb string) map[syscall.Signal]reaction {
	stop := map[syscall.Signal]reaction{syscall.SIGHUP: stops, syscall.SIGINT: stops, syscall.SIGTERM: stops}
	return map[string]map[syscall.Signal]reaction{
		"run": stop, "revert": stop, "observe": stop, "proxy watch": stop, "demo": stop,
		"serve":  {syscall.SIGHUP: reloads, syscall.SIGINT: stops, syscall.SIGTERM: stops},
		"proxy":  {syscall.SIGHUP: reloads, syscall.SIGINT: ends, syscall.SIGTERM: drains, syscall.SIGUSR2: restarts},
		"keeper": {syscall.SIGHUP: nothing, syscall.SIGINT: nothing, syscall.SIGQUIT: nothing, syscall.SIGTERM: nothing},
	}[verb]
}

// begin takes over what this process was started with. It must come before
// anything is written or started. Signals that do nothing are caught and not
// ignored: those that this process starts begin with the default of a caught
// signal, and would ignore an ignored one for ever.
func begin() (hupIgnored bool) {
	spawn.HideDescriptors()
	hupIgnored = signal.Ignored(syscall.SIGHUP)
	caught := []os.Signal{syscall.SIGPIPE}
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} { // Go takes back all others that were ignored
		if signal.Ignored(s) {
			caught = append(caught, s)
		}
	}
	signal.Notify(make(chan os.Signal, 1), caught...)
	return hupIgnored
}

// told is a signal, and what the verb is to do.
type told struct {
	signal   syscall.Signal
	reaction reaction
}

// signals tells a verb of its signals until done is called. A hang-up that
// whoever started mishap ignores (nohup) stops nothing.
func (c *cli) signals(verb string) (_ <-chan told, done func()) {
	table := reactions(verb)
	var wanted []os.Signal
	for s, r := range table {
		if s != syscall.SIGHUP || r != stops || !c.hupIgnored {
			wanted = append(wanted, s)
		}
	}
	got, tell, over := make(chan os.Signal, 4), make(chan told), make(chan struct{})
	signal.Notify(got, wanted...)
	go func() {
		for {
			select {
			case s := <-got:
				one := told{s.(syscall.Signal), table[s.(syscall.Signal)]}
				select {
				case tell <- one:
				case <-over:
					return
				}
			case <-over:
				return
			}
		}
	}()
	return tell, sync.OnceFunc(func() { signal.Stop(got); close(over) })
}

// untilStopped ends a context at the first signal that stops the verb; the next
// one does what the system does by default.
func (c *cli) untilStopped(ctx context.Context, verb string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals, quiet := c.signals(verb)
	go func() {
		select {
		case <-signals:
			quiet()
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { quiet(); cancel() }
}

// signalName is what a person did or saw.
func signalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGINT:
		return "Ctrl-C"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP, the end of the terminal"
	}
	return s.String()
}
