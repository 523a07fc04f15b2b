package metrics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap/internal/analysis"
	"mishap/internal/prometheus"
)

const (
	answerLimit = 64 << 20 // bytes of an answer
	answerIn    = 10 * time.Second
)

// promClient asks one server.
type promClient struct {
	secrets *secrets
	params  prometheusParams

	once   sync.Once
	client *http.Client
	err    error
}

// query asks for an expression, at a time or as of now. What the server only
// half knows (warnings) is refused whole.
func (c *promClient) query(ctx context.Context, expression string, at time.Time) ([]prometheus.Series, error) {
	form := url.Values{"query": {expression}}
	if !at.IsZero() {
		form.Set("time", fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000))
	}
	answer, err := c.post(ctx, form)
	if err != nil {
		return nil, err
	}
	series, err := answer.Series(c.secrets.quote)
	if err != nil && !errors.Is(err, prometheus.ErrNotNumbers) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return series, err
}

func (c *promClient) post(ctx context.Context, form url.Values) (none prometheus.Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	request, err := c.request(ctx, form)
	if err != nil {
		return none, err
	}
	asked := time.Now()
	response, err := c.client.Do(request)
	if err != nil {
		var wrapped *url.Error // its text has the address, with what is secret in it
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return none, fmt.Errorf("%w: ask Prometheus: %s", ErrUnavailable, c.secrets.clean(err.Error()))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	if err != nil {
		return none, fmt.Errorf("%w: read answer of Prometheus with status %d: %s", ErrUnavailable, response.StatusCode, c.secrets.clean(err.Error()))
	}
	if len(body) > answerLimit {
		return none, fmt.Errorf("%w: the answer of Prometheus is larger than %d MiB; select fewer series", ErrUnavailable, answerLimit>>20)
	}
	answer, err := prometheus.Read(response.StatusCode, body, c.secrets.quote)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return answer, c.clocks(response.Header.Get("Date"), asked, time.Now())
}

// clocks refuses a server whose clock is not ours: its buckets would lie before
// or after what we did. The header has whole seconds.
func (c *promClient) clocks(date string, asked, answered time.Time) error {
	said, err := http.ParseTime(date)
	if err != nil {
		return fmt.Errorf("%w: the server does not say what time it is (no Date header), so that its clock cannot be compared", analysis.ErrClocks)
	}
	apart := time.Duration(0)
	switch tolerance := c.params.Tolerance.Std(); {
	case said.After(answered.Add(tolerance)):
		apart = said.Sub(answered)
	case said.Add(time.Second).Before(asked.Add(-tolerance)):
		apart = said.Add(time.Second).Sub(asked)
	default:
		return nil
	}
	return fmt.Errorf("%w: Prometheus' clock is %s apart from ours, and %s is tolerated; set both by NTP", analysis.ErrClocks, apart.Abs().Round(time.Second/10), c.params.Tolerance)
}

// request looks up the secrets and builds the request.
func (c *promClient) request(ctx context.Context, form url.Values) (*http.Request, error) {
	c.once.Do(c.connect)
	if c.err != nil {
		return nil, c.err
	}
	address, err := c.secrets.resolve("with.url", c.params.URL)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, errors.New("with.url: it is not the address of a server")
	}
	if password, ok := u.User.Password(); ok {
		c.secrets.hide(password)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("api/v1/query").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("with.url: it is not the address of a server")
	}
	request.Header.Set("User-Agent", "mishap")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, name := range slices.Sorted(maps.Keys(c.params.Headers)) {
		value, err := c.secrets.resolve("with.headers."+name, c.params.Headers[name])
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "Host") {
			request.Host = value
			continue
		}
		request.Header.Set(name, value)
	}
	return request, nil
}

// connect makes the client, which keeps its connection, and follows nothing:
// what was given for one server is not for another.
func (c *promClient) connect() {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := c.params.CAFile; file != "" {
		pem, err := c.secrets.deps.ReadFile(file)
		if err != nil {
			c.err = fmt.Errorf("with.caFile: %w", err)
			return
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			c.err = fmt.Errorf("with.caFile: %s holds no certificate in PEM", file)
			return
		}
	}
	c.client = &http.Client{
		Transport:     &http.Transport{DialContext: c.secrets.deps.Dial, TLSClientConfig: settings, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// close lets go of the connection.
func (c *promClient) close() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}
