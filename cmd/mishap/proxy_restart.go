package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"mishap/internal/proxy"
	"mishap/internal/proxy/listener"
	"mishap/internal/spawn"
)

const (
	portsVariable  = "MISHAP_PROXY_PORTS"  // names of inherited ports, in the order of their files
	beforeVariable = "MISHAP_PROXY_BEFORE" // socket where the process before answers for the connections that it keeps
	firstPort      = 5                     // file of the first of them: 0 to 2 are the standard ones, 3 and 4 are pipes
	startWithin    = 30 * time.Second      // for a successor to take the ports
)

// child is this program again, as its file is now, in the place of this process.
type child struct {
	io    environment
	pid   int
	begin *os.File // a byte lets it begin; its end, that this process is gone
}

// Start begins the program with the ports, and waits until it has taken them.
func (c *child) Start(ports listener.Ports, before string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	taken, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer taken.Close()
	wait, begin, err := os.Pipe()
	if err != nil {
		return errors.Join(err, tell.Close())
	}
	names := slices.Sorted(maps.Keys(ports))
	cmd := spawn.Command(program, c.io.args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.io.in, c.io.out, c.io.err
	cmd.ExtraFiles = []*os.File{tell, wait}
	for _, name := range names {
		cmd.ExtraFiles = append(cmd.ExtraFiles, ports[name])
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), portsVariable+"="+string(list), beforeVariable+"="+before)
	err = cmd.Start()
	_, _ = tell.Close(), wait.Close()
	if err != nil {
		return errors.Join(err, begin.Close())
	}
	go func() { _ = cmd.Wait() }()
	_ = taken.SetReadDeadline(time.Now().Add(startWithin))
	if _, err := io.ReadFull(taken, make([]byte, 1)); err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(fmt.Errorf("process %d did not take the ports: %w", cmd.Process.Pid, err), begin.Close())
	}
	c.pid, c.begin = cmd.Process.Pid, begin
	return nil
}

// Release lets it begin.
func (c *child) Release() error {
	_, err := c.begin.Write([]byte{1})
	return errors.Join(err, c.begin.Close(), notifySystemd(fmt.Sprintf("MAINPID=%d", c.pid)))
}

// inherit takes over what the process before this one handed over, and waits for it; nothing if there is none.
func inherit(o *proxy.Options) error {
	text, is := os.LookupEnv(portsVariable)
	if !is {
		return nil
	}
	o.Before = os.Getenv(beforeVariable)
	if err := errors.Join(os.Unsetenv(portsVariable), os.Unsetenv(beforeVariable)); err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return fmt.Errorf("read %s: %w", portsVariable, err)
	}
	o.Ports = listener.Ports{}
	for i, name := range names {
		o.Ports[name] = os.NewFile(uintptr(firstPort+i), name)
	}
	o.Standby = func() error {
		tell, begin := os.NewFile(3, "taken"), os.NewFile(4, "begin")
		if _, err := tell.Write([]byte{1}); err != nil {
			return fmt.Errorf("the process to succeed is gone: %w", err)
		}
		_, _ = begin.Read(make([]byte, 1)) // or its end: the process before is gone, and its control address free
		return errors.Join(tell.Close(), begin.Close())
	}
	return nil
}

// notifySystemd tells the service manager, if there is one (sd_notify(3)).
func notifySystemd(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
