package main

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// runSemantics counts which ways of ending a connection reach the other side as what they are.
func runSemantics(_ *bench, t *target) (values, error) {
	v := values{"semantics": 0}
	for name, check := range map[string]func(*target) bool{
		"half-close": halfClose, "server-rst": serverResets, "client-rst": clientResets, "refused": refused,
	} {
		if check(t) {
			v["semantics-"+name] = 1
			v["semantics"]++
		} else {
			v["semantics-"+name] = 0
		}
	}
	return v, nil
}

// open connects and sends what the upstream is to do.
func open(port string, order string) (*net.TCPConn, error) {
	c, err := net.Dial("tcp", port)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(c, order)
	return c.(*net.TCPConn), err
}

// halfClose: the client ends its half and still gets the answer.
func halfClose(t *target) bool {
	c, err := open(t.at(portScript), "h")
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.CloseWrite()
	answer, err := io.ReadAll(c)
	return err == nil && string(answer) == "late"
}

// serverResets: a reset by the server reaches the client as one.
func serverResets(t *target) bool {
	c, err := open(t.at(portScript), "r")
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = io.Copy(io.Discard, c)
	return errors.Is(err, syscall.ECONNRESET)
}

// clientResets: a reset by the client reaches the server as one.
func clientResets(t *target) bool {
	c, err := open(t.at(portScript), "w")
	if err != nil {
		return false
	}
	time.Sleep(halfWait)
	_ = c.SetLinger(0)
	_ = c.Close()
	time.Sleep(halfWait)
	asked, err := open(address(portScript), "q")
	if err != nil {
		return false
	}
	defer asked.Close()
	answer, _ := io.ReadAll(asked)
	return string(answer) == "RST"
}

// refused: an upstream that refuses shows as a reset, or a refusal.
func refused(t *target) bool {
	c, err := net.Dial("tcp", t.at(portRefused))
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, err = c.Read(make([]byte, 1))
	return errors.Is(err, syscall.ECONNRESET)
}
