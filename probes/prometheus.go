package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mishap"
)

type prometheusWith struct {
	URL     string                   `json:"url" jsonschema:"the server, such as http://localhost:9090"`
	Query   string                   `json:"query" jsonschema:"an instant query in PromQL that gives one number"`
	Headers map[string]mishap.Secret `json:"headers,omitempty" jsonschema:"request headers; values may be secrets"`
}

type prometheusExpect struct {
	Value comparison `json:"value" jsonschema:"comparison with the query's result, such as < 0.05"`
}

func prometheusKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "prometheus",
			Summary: "compares the result of a PromQL query",
			Doc: "Makes an instant query, which must give exactly one number: use sum() or max() over several series. " +
				"No data, NaN, a failing query and a server that does not answer are unknown: they say nothing about the system. " +
				"A metric is as old as its last scrape, so that harm is seen that much later.",
			Params:  prometheusWith{},
			Example: "probe: prometheus\nwith: {url: \"http://localhost:9090\", query: 'sum(rate(http_errors_total[1m]))'}\nexpect: {value: \"< 5\"}",
		},
		Expect: prometheusExpect{},
		New: func(s mishap.ProbeSpec) (mishap.Probe, error) {
			p := &prometheusProbe{deps: d}
			err := decode(s, &p.with, &p.expect)
			if u, bad := url.Parse(p.with.URL); bad != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				err = errors.Join(err, &mishap.FieldError{Path: "with.url", Msg: "must be the URL of a Prometheus server", Hint: "for example http://localhost:9090"})
			}
			if strings.TrimSpace(p.with.Query) == "" {
				err = errors.Join(err, wrong("with.query", "a query is missing"))
			}
			if !p.expect.Value.set() && s.Expect == nil {
				err = errors.Join(err, &mishap.FieldError{Path: "expect", Msg: "says nothing: a value is missing", Hint: "for example expect: {value: \"< 0.05\"}"})
			}
			return p, err
		},
	}
}

type prometheusProbe struct {
	deps   Deps
	with   prometheusWith
	expect prometheusExpect
}

// Observe makes one query.
func (p *prometheusProbe) Observe(ctx context.Context) mishap.Observation {
	s := &secrets{Deps: p.deps}
	v, err := p.query(ctx, s)
	if err != nil {
		return s.clean(unknown("%v", err))
	}
	value := strconv.FormatFloat(v, 'g', 6, 64)
	if p.expect.Value.holds(v) {
		return met(value)
	}
	return unmet(value, "value is %s, expected %s", value, p.expect.Value.text)
}

// reply is the answer of the query API, version 1.
// https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
type reply struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

func (p *prometheusProbe) query(ctx context.Context, s *secrets) (float64, error) {
	form := strings.NewReader(url.Values{"query": {p.with.Query}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.with.URL, "/")+"/api/v1/query", form)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range p.with.Headers {
		text, err := s.resolve(value)
		if err != nil {
			return 0, err
		}
		request.Header.Set(name, text)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask Prometheus: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostBody))
	if err != nil {
		return 0, fmt.Errorf("ask Prometheus: %w", err)
	}
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		return 0, fmt.Errorf("ask Prometheus: status %d, and no JSON: %q", answer.StatusCode, excerpt(string(body)))
	}
	if r.Status != "success" {
		return 0, fmt.Errorf("ask Prometheus: %s", r.Error)
	}
	return r.number()
}

// number is the one number of a result.
func (r reply) number() (float64, error) {
	type sample = [2]json.RawMessage
	var samples []sample
	switch r.Data.Type {
	case "scalar":
		samples = make([]sample, 1)
		if err := json.Unmarshal(r.Data.Result, &samples[0]); err != nil {
			return 0, fmt.Errorf("read result: %w", err)
		}
	case "vector":
		var series []struct{ Value sample }
		if err := json.Unmarshal(r.Data.Result, &series); err != nil {
			return 0, fmt.Errorf("read result: %w", err)
		}
		for _, one := range series {
			samples = append(samples, one.Value)
		}
	default:
		return 0, fmt.Errorf("the query gives a %s; it must give one number", r.Data.Type)
	}
	switch len(samples) {
	case 0:
		return 0, errors.New("the query gives no data")
	case 1:
	default:
		return 0, fmt.Errorf("the query gives %d series; it must give one: use sum() or max()", len(samples))
	}
	var text string
	if err := json.Unmarshal(samples[0][1], &text); err != nil {
		return 0, fmt.Errorf("read result: %w", err)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && math.IsNaN(v) {
		err = errors.New("the query gives NaN")
	}
	return v, err
}
