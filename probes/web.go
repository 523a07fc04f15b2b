package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/outside"
)

// bodyLimit is how much of an answer is read, in bytes.
const bodyLimit = 1 << 20

// webCall is one request over HTTP whose secrets are not looked up yet.
type webCall struct {
	method  string
	url     mishap.Secret
	path    string // added to the URL's
	headers map[string]mishap.Secret
	body    mishap.Secret
	form    string // a body that is a form, instead of body
	caFile  string
	follow  bool
}

// webAnswer is what came back.
type webAnswer struct {
	status   int
	location string // of a redirect that was not followed, redacted
	body     []byte
	cut      bool          // there was more of the body
	took     time.Duration // from the dial to the last byte
}

// send makes the request over a fresh connection: an idle one would hide that
// connecting fails. The environment's proxy is not used, because it is not part
// of what is measured.
func (c webCall) send(ctx context.Context, s *secrets) (webAnswer, error) {
	ctx, at := follow(ctx)
	request, err := c.request(ctx, s)
	if err != nil {
		return webAnswer{}, err
	}
	settings, err := tlsSettings(s, c.caFile)
	if err != nil {
		return webAnswer{}, err
	}
	transport := &http.Transport{
		DialContext:       s.deps.Dial,
		TLSClientConfig:   settings,
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: c.redirect}

	begin := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return webAnswer{}, at.mark(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit+1))
	if err != nil {
		return webAnswer{}, at.mark(fmt.Errorf("read answer with status %d: %w", response.StatusCode, err))
	}
	answer := webAnswer{status: response.StatusCode, body: body, took: time.Since(begin)}
	if len(body) > bodyLimit {
		answer.body, answer.cut = body[:bodyLimit], true
	}
	if to, err := response.Location(); err == nil {
		s.hideURL(to)
		answer.location = redacted(to)
	}
	return answer, nil
}

// request looks up the secrets and builds the request.
func (c webCall) request(ctx context.Context, s *secrets) (*http.Request, error) {
	address, err := s.resolve("with.url", c.url)
	if err != nil {
		return nil, err
	}
	u, problem := webURL(address)
	if problem != "" {
		return nil, unmeasured("with.url: it %s", problem)
	}
	s.hideURL(u)
	if c.path != "" {
		u = u.JoinPath(c.path)
	}
	body, err := s.resolve("with.body", c.body)
	if err != nil {
		return nil, err
	}
	if c.form != "" {
		body = c.form
	}
	request, err := http.NewRequestWithContext(ctx, c.method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, unmeasured("build request: %s", s.quote(err.Error()))
	}
	request.Header.Set("User-Agent", "mishap")
	if c.form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, name := range slices.Sorted(maps.Keys(c.headers)) {
		value, err := s.resolve("with.headers."+name, c.headers[name])
		if err != nil {
			return nil, err
		}
		if strings.ContainsFunc(value, notInHeader) {
			return nil, unmeasured("with.headers.%s: its value has characters that a header cannot have, such as a line break", name)
		}
		if strings.EqualFold(name, "Host") {
			request.Host = value
			continue
		}
		request.Header.Set(name, value)
	}
	return request, nil
}

// redirect decides about following. One to another host or port is the answer:
// what is asked is what the experiment names.
func (c webCall) redirect(next *http.Request, before []*http.Request) error {
	const most = 10
	switch {
	case !c.follow, !outside.SameHost(next.URL, before[0].URL):
		return http.ErrUseLastResponse
	case len(before) >= most:
		return fmt.Errorf("redirected more than %d times", most)
	}
	return nil
}

// tlsSettings trusts the authorities in the file, or those of the system.
func tlsSettings(s *secrets, caFile string) (*tls.Config, error) {
	if caFile == "" {
		return &tls.Config{}, nil
	}
	pem, err := s.deps.ReadFile(caFile)
	if err != nil {
		return nil, unmeasured("with.caFile: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, unmeasured("with.caFile: %s holds no certificate in PEM", caFile)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// webURL reads an address of the web; the problem does not repeat it, because
// it may be a secret.
func webURL(text string) (u *url.URL, problem string) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, "is missing"
	case err != nil, u.Opaque != "", u.Scheme != "http" && u.Scheme != "https":
		return nil, "is not a URL that begins with http:// or https://"
	case u.Hostname() == "":
		return nil, "names no host"
	}
	return u, ""
}

// webUses is what every call of the web reads and reaches.
func webUses(address mishap.Secret, caFile string) (u mishap.Uses) {
	if at, problem := webURL(address.Value); problem == "" {
		u.Hosts = []string{outside.HostPort(at)}
	}
	if caFile != "" {
		u.Files = []string{caFile}
	}
	return u
}

// checkWeb reports what is wrong with what all calls of the web have.
func checkWeb(address mishap.Secret, headers map[string]mishap.Secret) []error {
	var problems []error
	if !address.IsReference() {
		if _, problem := webURL(address.Value); problem != "" {
			problems = append(problems, &mishap.FieldError{Path: "with.url", Msg: problem, Hint: "write it like http://127.0.0.1:8080/health"})
		}
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		path, same := "with.headers."+name, http.CanonicalHeaderKey(name)
		if name == "" || strings.ContainsFunc(name, notInToken) {
			problems = append(problems, &mishap.FieldError{Path: path, Msg: fmt.Sprintf("%q is not the name of a header", name)})
		} else if seen[same] != "" {
			problems = append(problems, &mishap.FieldError{Path: path, Msg: fmt.Sprintf("is the same header as %s", seen[same])})
		}
		if strings.ContainsFunc(headers[name].Value, notInHeader) {
			problems = append(problems, &mishap.FieldError{Path: path, Msg: "the value has characters that a header cannot have, such as a line break"})
		}
		seen[same] = name
	}
	return problems
}

func notInHeader(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func notInToken(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
