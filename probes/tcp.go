package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"mishap"
)

type tcpWith struct {
	Address string        `json:"address" jsonschema:"host:port to connect to"`
	Send    mishap.Secret `json:"send,omitzero" jsonschema:"text to send after connecting; may be a secret"`
}

type tcpExpect struct {
	Answer  string     `json:"answer,omitempty" jsonschema:"text that must come back"`
	Matches pattern    `json:"answerMatches,omitzero" jsonschema:"regular expression that what comes back must match"`
	Latency comparison `json:"latency,omitzero" jsonschema:"comparison with the time until connected, or until the expected answer"`
}

func tcpKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "tcp",
			Summary: "connects, may send a text, and waits for an answer",
			Doc: "Connects to an address. With an expected answer it reads until that has come, the peer closes, or the timeout. " +
				"Refused, reset, closed early and late are unmet.",
			Params:  tcpWith{},
			Example: "probe: tcp\nwith: {address: \"localhost:6379\", send: \"PING\\r\\n\"}\nexpect: {answer: \"+PONG\", latency: \"<= 50ms\"}",
		},
		Expect: tcpExpect{},
		New: func(s mishap.ProbeSpec) (mishap.Probe, error) {
			p := &tcpProbe{deps: d}
			err := decode(s, &p.with, &p.expect)
			return p, errors.Join(err, checkAddress(p.with.Address), p.expect.Latency.mustBeTime("expect.latency"))
		},
	}
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || host == "" || n < 1 || n > 65535 {
		return &mishap.FieldError{Path: "with.address", Msg: fmt.Sprintf("%q is not an address", address), Hint: "write host:port, for example localhost:6379"}
	}
	return nil
}

type tcpProbe struct {
	deps   Deps
	with   tcpWith
	expect tcpExpect
}

// Observe makes one connection.
func (p *tcpProbe) Observe(ctx context.Context) mishap.Observation {
	s := &secrets{Deps: p.deps}
	return s.clean(p.observe(ctx, s))
}

func (p *tcpProbe) observe(ctx context.Context, s *secrets) mishap.Observation {
	send, err := s.resolve(p.with.Send)
	if err != nil {
		return unknown("%v", err)
	}
	start := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.with.Address)
	if err != nil {
		return failed(ctx, err, start)
	}
	defer conn.Close()
	// The context must also end a read.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write([]byte(send)); err != nil {
		return failed(ctx, err, start)
	}
	if p.expect.Answer == "" && p.expect.Matches.Regexp == nil {
		took := time.Since(start)
		return judge("connected in "+short(took).String(), p.expect.Latency.latency(took))
	}
	return p.await(ctx, conn, start)
}

// await reads until the expected answer has come.
func (p *tcpProbe) await(ctx context.Context, conn net.Conn, start time.Time) mishap.Observation {
	var got strings.Builder
	chunk := make([]byte, 4096)
	for got.Len() < mostBody {
		n, err := conn.Read(chunk)
		got.Write(chunk[:n])
		problem := contains("answer", got.String(), p.expect.Answer, p.expect.Matches)
		if problem == "" {
			took := time.Since(start)
			return judge("answer in "+short(took).String(), p.expect.Latency.latency(took))
		}
		if err != nil && got.Len() == 0 {
			return failed(ctx, err, start)
		}
		if err != nil {
			return unmet("wrong answer", "%s", problem)
		}
	}
	return unmet("wrong answer", "the expected answer is not in the first %d bytes", mostBody)
}
