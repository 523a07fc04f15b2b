package probes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mishap"
)

type httpParams struct {
	URL             mishap.Secret            `json:"url" jsonschema:"address to ask, with http:// or https://"`
	Method          string                   `json:"method,omitempty" jsonschema:"method of the request; default GET"`
	Headers         map[string]mishap.Secret `json:"headers,omitempty" jsonschema:"headers of the request"`
	Body            mishap.Secret            `json:"body,omitzero" jsonschema:"body of the request"`
	FollowRedirects bool                     `json:"followRedirects,omitempty" jsonschema:"ask where a redirect on the same host and port points to; default false, so that a redirect is the answer"`
	CAFile          string                   `json:"caFile,omitempty" jsonschema:"file of certificates in PEM that are trusted instead of the system's"`
}

type httpExpect struct {
	Status      any            `json:"status,omitempty" jsonschema:"a code (200), a class (2xx), a range (200-299) or a list of those; default 2xx"`
	Body        string         `json:"body,omitempty" jsonschema:"text that the body must contain"`
	BodyMatches string         `json:"bodyMatches,omitempty" jsonschema:"regular expression (RE2) that the body must match"`
	JSON        map[string]any `json:"json,omitempty" jsonschema:"paths in a JSON body, each with the value or the comparison (like \"<= 10\") that must hold there"`
	Latency     *comparedTime  `json:"latency,omitempty" jsonschema:"comparison with the time from the dial to the last byte, such as \"<= 2s\""`
}

const httpDoc = "Sends one request and judges the answer. Every observation opens a connection of its own, because an idle one " +
	"would hide that connecting fails, and goes straight to the host: the proxy of the environment is not used. Latency is " +
	"counted from the dial to the last byte, and at most 1 MiB of the body is read.\n\n" +
	"Without `expect` the status must be 2xx; that stays so beside other expectations unless `status` says otherwise. " +
	"Unmet are a wrong answer, a refused or reset connection, an unreachable host, a TLS handshake that fails or a " +
	"certificate that is not trusted, no answer in time, and a name that does not exist. Unknown are a resolver that " +
	"fails or does not answer, a secret or `caFile` that cannot be read, limits of this machine (open files, ports), and " +
	"an expectation on a body that is longer than what was read.\n\n" +
	"In `json` a text that begins with < > = or ! is a comparison with a number, where a percentage is a part of one (5% " +
	"is 0.05) and a duration is in seconds; anything else must be equal. Numbers are compared exactly as they are written, " +
	"however large; one of more than 1000 characters or with an exponent beyond 10000 is unknown. A redirect to another host, port or scheme is not followed: it is the " +
	"answer. Secrets, and the credentials and the query of " +
	"the URL, are not shown."

const httpExample = `probe: http
with:
  method: POST
  url: http://127.0.0.1:8080/checkout
  headers:
    Content-Type: application/json
    Authorization: {env: CHECKOUT_AUTHORIZATION}
  body: '{"basket": "test"}'
expect:
  status: 200
  json: {"$.paid": true, "$.attempts": "<= 3"}
  latency: "<= 2s"
`

func httpKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "http",
			Summary: "an HTTP request is answered as expected",
			Doc:     httpDoc,
			Params:  httpParams{},
			Example: httpExample,
		},
		Expect: httpExpect{},
		New:    func(spec mishap.ProbeSpec) (mishap.Probe, error) { return newHTTP(d, spec) },
		Uses: func(spec mishap.ProbeSpec) (mishap.Uses, error) {
			params, expect, bad := readHTTP(spec)
			return webUses(params.URL, params.CAFile).And(mishap.UsesOf(params, expect)), bad.err()
		},
	}
}

// httpProbe is the http probe with its expectations read.
type httpProbe struct {
	call    webCall
	status  statuses
	body    textExpectation
	json    []jsonExpectation
	latency *Comparison
}

func readHTTP(spec mishap.ProbeSpec) (params httpParams, expect httpExpect, bad misread) {
	params.Method, expect.Status = "GET", "2xx"
	bad = decode(spec, &params, &expect)
	return params, expect, bad
}

func newHTTP(d Deps, spec mishap.ProbeSpec) (mishap.Probe, error) {
	params, expect, bad := readHTTP(spec)
	problems := []error{bad.with, bad.expect}
	if bad.err() == nil {
		problems = append(problems, checkWeb(params.URL, params.Headers)...)
		problems = append(problems, checkMethod(params, expect)...)
	}
	h := httpProbe{call: webCall{
		method: params.Method, url: params.URL, headers: params.Headers, body: params.Body,
		caFile: params.CAFile, follow: params.FollowRedirects,
	}}
	var errStatus, errBody, errJSON, errLatency error
	h.status, errStatus = expectStatus("expect.status", expect.Status)
	h.body, errBody = expectText("expect.bodyMatches", expect.Body, expect.BodyMatches)
	h.json, errJSON = expectJSON("expect.json", expect.JSON)
	h.latency, errLatency = expectLatency(expect.Latency)
	if err := errors.Join(append(problems, errStatus, errBody, errJSON, errLatency)...); err != nil {
		return nil, err
	}
	return &probe{deps: d, timeout: spec.Timeout.Std(), late: "no answer", measure: h.measure}, nil
}

// checkMethod refuses what no server could answer as expected.
func checkMethod(p httpParams, e httpExpect) []error {
	var problems []error
	method := p.Method
	if method == "" || strings.ContainsFunc(method, notInToken) || strings.ToUpper(method) != method {
		problems = append(problems, &mishap.FieldError{Path: "with.method", Msg: fmt.Sprintf("%q is not a method of HTTP", method), Hint: "write it in capitals, like GET or POST"})
	}
	if method == "CONNECT" {
		problems = append(problems, &mishap.FieldError{Path: "with.method", Msg: "CONNECT opens a tunnel, which has no answer to judge", Hint: "the probe tcp measures a connection"})
	}
	if (method == "HEAD" || method == "TRACE") && (p.Body.Value != "" || p.Body.IsReference()) {
		problems = append(problems, &mishap.FieldError{Path: "with.body", Msg: method + " has no body"})
	}
	if method != "HEAD" {
		return problems
	}
	for path, expected := range map[string]bool{"expect.body": e.Body != "", "expect.bodyMatches": e.BodyMatches != "", "expect.json": len(e.JSON) > 0} {
		if expected {
			problems = append(problems, &mishap.FieldError{Path: path, Msg: "the answer to HEAD has no body", Hint: "use GET"})
		}
	}
	return problems
}

func (h httpProbe) measure(ctx context.Context, s *secrets) (mishap.Observation, error) {
	answer, err := h.call.send(ctx, s)
	if err != nil {
		return mishap.Observation{}, err
	}
	var j judgement
	if !h.status.has(answer.status) {
		to := ""
		if answer.location != "" {
			to = fmt.Sprintf(" to %s", s.clean(answer.location, 1))
		}
		j.unmet("status %d%s, expected %s", answer.status, to, h.status.text)
	}
	j.text(h.body, s, "body", answer.body, answer.cut)
	j.json(h.json, s, answer.body, answer.cut)
	j.latency(h.latency, answer.took)
	return j.observation(fmt.Sprintf("%d in %s", answer.status, span(answer.took))), nil
}
