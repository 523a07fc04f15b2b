package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"mishap"
)

type tcpParams struct {
	Address string        `json:"address" jsonschema:"host:port to connect to"`
	Send    mishap.Secret `json:"send,omitzero" jsonschema:"text to send after connecting; needs an expected answer"`
}

type tcpExpect struct {
	Answer        string        `json:"answer,omitempty" jsonschema:"text that must come back"`
	AnswerMatches string        `json:"answerMatches,omitempty" jsonschema:"regular expression (RE2) that what comes back must match"`
	Latency       *comparedTime `json:"latency,omitempty" jsonschema:"comparison with the time from the dial until connected, or until the expected answer was there, such as \"<= 50ms\""`
}

const tcpDoc = "Opens a connection and, if an answer is expected, reads until it is there, the peer closes, 1 MiB was read, or " +
	"the time is over. Without an expected answer, being connected is enough; note that a proxy may accept connections " +
	"for a service that is down.\n\n" +
	"Unmet are a refused or reset connection, an unreachable host, a name that does not exist, another answer, and no " +
	"answer in time. Unknown are a resolver that fails or does not answer, a secret that cannot be read, and limits of " +
	"this machine (open files, ports)."

const tcpExample = `probe: tcp
with: {address: "127.0.0.1:6379", send: "PING\r\n"}
expect: {answer: "+PONG", latency: "<= 50ms"}
`

func tcpKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "tcp",
			Summary: "a TCP connection opens, and what is sent is answered as expected",
			Doc:     tcpDoc,
			Params:  tcpParams{},
			Example: tcpExample,
		},
		Expect: tcpExpect{},
		New:    func(spec mishap.ProbeSpec) (mishap.Probe, error) { return newTCP(d, spec) },
		Uses: func(spec mishap.ProbeSpec) (mishap.Uses, error) {
			params, expect, bad := readTCP(spec)
			u := mishap.UsesOf(params, expect)
			u.Hosts = append(u.Hosts, params.Address)
			return u, bad.err()
		},
	}
}

// tcpProbe is the tcp probe with its expectations read.
type tcpProbe struct {
	params  tcpParams
	answer  textExpectation
	latency *Comparison
}

func readTCP(spec mishap.ProbeSpec) (params tcpParams, expect tcpExpect, bad misread) {
	bad = decode(spec, &params, &expect)
	return params, expect, bad
}

func newTCP(d Deps, spec mishap.ProbeSpec) (mishap.Probe, error) {
	params, expect, bad := readTCP(spec)
	t := tcpProbe{params: params}
	if bad.with == nil {
		bad.with = checkAddress(params.Address)
	}
	var errAnswer, errLatency, errSend error
	t.answer, errAnswer = expectText("expect.answerMatches", expect.Answer, expect.AnswerMatches)
	t.latency, errLatency = expectLatency(expect.Latency)
	if sends := t.params.Send.IsReference() || t.params.Send.Value != ""; sends && expect.Answer == "" && expect.AnswerMatches == "" {
		errSend = &mishap.FieldError{Path: "with.send", Msg: "nothing judges the answer to it", Hint: `add expect: {answer: "..."}`}
	}
	if err := errors.Join(bad.with, bad.expect, errAnswer, errLatency, errSend); err != nil {
		return nil, err
	}
	return &probe{deps: d, timeout: spec.Timeout.Std(), late: "no answer", measure: t.measure}, nil
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || host == "" || n < 1 || n > 65535 {
		return &mishap.FieldError{Path: "with.address", Msg: fmt.Sprintf("%q is not an address", address), Hint: "write host:port, like 127.0.0.1:6379"}
	}
	return nil
}

func (t tcpProbe) measure(ctx context.Context, s *secrets) (mishap.Observation, error) {
	send, err := s.resolve("with.send", t.params.Send)
	if err != nil {
		return mishap.Observation{}, err
	}
	traced, at := follow(ctx)
	begin := time.Now()
	conn, err := s.deps.Dial(traced, "tcp", t.params.Address)
	if err != nil {
		return mishap.Observation{}, at.mark(err)
	}
	defer conn.Close()
	// The end of the context must end a read too. Closing also ends it for good.
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	var j judgement
	if !t.answer.any() {
		took := time.Since(begin)
		j.latency(t.latency, took)
		return j.observation("connected in " + span(took)), nil
	}
	at.name.Store(stageSend)
	if _, err := io.WriteString(conn, send); err != nil {
		return mishap.Observation{}, at.mark(err)
	}
	at.name.Store(stageWait)
	got, err := t.read(conn)
	took := time.Since(begin)
	switch {
	case t.answer.met(got):
		j.latency(t.latency, took)
		return j.observation("answer in " + span(took)), nil
	case err != nil && !errors.Is(err, io.EOF) && len(got) == 0:
		return mishap.Observation{}, at.mark(err)
	case ctx.Err() != nil:
		return mishap.Observation{}, &stageError{stage: "the answer was " + s.quote(string(got)), error: ctx.Err()}
	}
	j.text(t.answer, s, "answer", got, len(got) > bodyLimit)
	return j.observation("another answer in " + span(took)), nil
}

// read reads until the answer is as expected, or no more comes.
func (t tcpProbe) read(conn net.Conn) ([]byte, error) {
	var got []byte
	chunk := make([]byte, 4096)
	for len(got) <= bodyLimit {
		n, err := conn.Read(chunk)
		got = append(got, chunk[:n]...)
		if n > 0 && t.answer.met(got) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
	return got, nil
}
