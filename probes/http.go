package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mishap"
)

// mostBody is how much of an answer is read, in bytes.
const mostBody = 1 << 20

type httpWith struct {
	Method  string                   `json:"method,omitempty" jsonschema:"request method, default GET"`
	URL     string                   `json:"url" jsonschema:"what to ask for, http or https"`
	Headers map[string]mishap.Secret `json:"headers,omitempty" jsonschema:"request headers; values may be secrets"`
	Body    mishap.Secret            `json:"body,omitzero" jsonschema:"request body; may be a secret"`
	Follow  bool                     `json:"followRedirects,omitempty" jsonschema:"follow redirects, default false"`
	CAFile  string                   `json:"caFile,omitempty" jsonschema:"PEM file with the authorities to trust instead of the system's"`
}

type httpExpect struct {
	Status  statuses                   `json:"status,omitempty" jsonschema:"expected status: 200, 2xx, 200-204 or a list of these; default 2xx"`
	Body    string                     `json:"body,omitempty" jsonschema:"text that the body must contain"`
	Matches pattern                    `json:"bodyMatches,omitzero" jsonschema:"regular expression that the body must match"`
	JSON    map[string]json.RawMessage `json:"json,omitempty" jsonschema:"values in a JSON body by path, such as items.0.name; numbers may be comparisons"`
	Latency comparison                 `json:"latency,omitzero" jsonschema:"comparison with the time to the last byte, such as <= 2s"`
}

func httpKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "http",
			Summary: "asks for a URL and checks the answer",
			Doc: "Makes one request on a connection of its own, so that a fault on new connections is felt. " +
				"A refused or reset connection, an unknown host, a bad certificate and no answer in time are unmet; " +
				"a failing name server or a secret that cannot be read is unknown. At most 1 MiB of the body is read.",
			Params: httpWith{},
			Example: "probe: http\nwith: {method: POST, url: \"https://checkout.example/pay\", headers: {Authorization: {env: TOKEN}}}\n" +
				"expect: {status: 2xx, latency: \"<= 2s\", json: {state: paid}}",
		},
		Expect: httpExpect{},
		New: func(s mishap.ProbeSpec) (mishap.Probe, error) {
			p := &httpProbe{deps: d, with: httpWith{Method: http.MethodGet}}
			err := decode(s, &p.with, &p.expect)
			if p.expect.Status == nil {
				p.expect.Status = statuses{{200, 299}}
			}
			return p, errors.Join(err, p.check())
		},
	}
}

type httpProbe struct {
	deps   Deps
	with   httpWith
	expect httpExpect
}

func (p *httpProbe) check() error {
	var problems []error
	u, err := url.Parse(p.with.URL)
	switch {
	case p.with.URL == "":
		problems = append(problems, wrong("with.url", "a URL is missing"))
	case err != nil:
		problems = append(problems, wrong("with.url", "is not a URL"))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		problems = append(problems, &mishap.FieldError{Path: "with.url", Msg: "must begin with http:// or https:// and name a host", Hint: "for example http://localhost:8080/health"})
	case u.User != nil:
		problems = append(problems, &mishap.FieldError{Path: "with.url", Msg: "must not hold a user or password", Hint: "use headers: {Authorization: {env: NAME}}"})
	}
	if _, err := http.NewRequest(p.with.Method, "http://x", nil); err != nil {
		problems = append(problems, wrong("with.method", "%q is not a request method", p.with.Method))
	}
	return errors.Join(append(problems, p.expect.Latency.mustBeTime("expect.latency"))...)
}

// Observe makes one request.
func (p *httpProbe) Observe(ctx context.Context) mishap.Observation {
	s := &secrets{Deps: p.deps}
	return s.clean(p.observe(ctx, s))
}

func (p *httpProbe) observe(ctx context.Context, s *secrets) mishap.Observation {
	request, err := p.request(ctx, s)
	if err != nil {
		return unknown("%v", err)
	}
	client, err := p.client()
	if err != nil {
		return unknown("%v", err)
	}
	defer client.CloseIdleConnections()
	start := time.Now()
	answer, err := client.Do(request)
	if err != nil {
		var outer *url.Error // it repeats the URL, whose query may be private
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return failed(ctx, err, start)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostBody))
	took := time.Since(start)
	if err != nil {
		return failed(ctx, fmt.Errorf("status %d, then: %w", answer.StatusCode, err), start)
	}
	return judge(fmt.Sprintf("%d in %s", answer.StatusCode, short(took)),
		p.expect.Status.judge(answer.StatusCode),
		contains("body", string(body), p.expect.Body, p.expect.Matches),
		checkJSON(body, p.expect.JSON),
		p.expect.Latency.latency(took))
}

func (p *httpProbe) request(ctx context.Context, s *secrets) (*http.Request, error) {
	body, err := s.resolve(p.with.Body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, p.with.Method, p.with.URL, strings.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made from this URL")
	}
	request.Header.Set("User-Agent", "mishap")
	for name, value := range p.with.Headers {
		text, err := s.resolve(value)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "Host") {
			request.Host = text
		}
		request.Header.Set(name, text)
	}
	return request, nil
}

func (p *httpProbe) client() (*http.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true}
	if p.with.CAFile != "" {
		pem, err := p.deps.ReadFile(p.with.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read caFile: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("caFile %s has no certificate", p.with.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	client := &http.Client{Transport: transport}
	if !p.with.Follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, nil
}

// statuses is a set of ranges of HTTP status codes.
type statuses [][2]int

// UnmarshalJSON reads 200, "2xx", "200-204", or a list of these.
func (s *statuses) UnmarshalJSON(data []byte) error {
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		items = []json.RawMessage{data}
	}
	*s = nil
	for _, item := range items {
		text := strings.Trim(string(item), `"`)
		r, ok := statusRange(text)
		if !ok {
			return fmt.Errorf("%q is not a status; write it like 200, 2xx or 200-204", text)
		}
		*s = append(*s, r)
	}
	if *s == nil {
		return errors.New("the list of statuses is empty")
	}
	return nil
}

func statusRange(text string) (r [2]int, ok bool) {
	if class, found := strings.CutSuffix(text, "xx"); found && len(class) == 1 && class[0] >= '1' && class[0] <= '5' {
		low := int(class[0]-'0') * 100
		return [2]int{low, low + 99}, true
	}
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	a, errA := strconv.Atoi(low)
	b, errB := strconv.Atoi(high)
	return [2]int{a, b}, errA == nil && errB == nil && a >= 100 && a <= b && b <= 599
}

func (s statuses) judge(code int) string {
	if slices.ContainsFunc(s, func(r [2]int) bool { return code >= r[0] && code <= r[1] }) {
		return ""
	}
	var want []string
	for _, r := range s {
		switch {
		case r[0] == r[1]:
			want = append(want, strconv.Itoa(r[0]))
		case r[0]%100 == 0 && r[1] == r[0]+99:
			want = append(want, fmt.Sprintf("%dxx", r[0]/100))
		default:
			want = append(want, fmt.Sprintf("%d-%d", r[0], r[1]))
		}
	}
	return fmt.Sprintf("status %d, expected %s", code, strings.Join(want, " or "))
}
