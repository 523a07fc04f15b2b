package probes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mishap"
	"mishap/internal/prometheus"
)

type prometheusParams struct {
	URL     mishap.Secret            `json:"url" jsonschema:"address of the server, without /api/v1, such as http://127.0.0.1:9090"`
	Query   string                   `json:"query" jsonschema:"an instant query in PromQL"`
	Headers map[string]mishap.Secret `json:"headers,omitempty" jsonschema:"headers of the request, for a server that asks who you are"`
	CAFile  string                   `json:"caFile,omitempty" jsonschema:"file of certificates in PEM that are trusted instead of the system's"`
}

type prometheusExpect struct {
	Value  *comparedAmount `json:"value" jsonschema:"comparison with the result, such as \"< 0.05\" or \"< 5%\""`
	Reduce string          `json:"reduce,omitempty" jsonschema:"what to do with several series: compare their max, min or sum, or all of them; default is to allow exactly one"`
}

const prometheusDoc = "Asks a Prometheus server for the result of an instant query and compares it. The result must be exactly one " +
	"number, unless `reduce` says how to make one of several series: `max`, `min`, `sum`, or `all`, which compares each. In " +
	"`value` a percentage is a part of one (5% is 0.05) and a duration is in seconds.\n\n" +
	"Unmet is only a result beyond the limit. Everything else is unknown, because it says nothing about the system: no " +
	"data, NaN, a result beyond 2^53 that Prometheus, which counts in floating point, cannot tell from the limit, more than one series, a query that is wrong or that the server warns about, a server that is down, late " +
	"or behind a redirect, and a secret that cannot be read. A metric is as old as its last scrape, so that harm is seen " +
	"that much later; a series that is not scraped any more keeps its last value for up to five minutes unless it was " +
	"marked stale."

const prometheusExample = `probe: prometheus
with:
  url: http://127.0.0.1:9090
  query: sum(rate(http_requests_total{code=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))
expect: {value: "< 5%"}
`

func prometheusKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "prometheus",
			Summary: "a metric is within its limit",
			Doc:     prometheusDoc,
			Params:  prometheusParams{},
			Example: prometheusExample,
		},
		Expect: prometheusExpect{},
		New:    func(spec mishap.ProbeSpec) (mishap.Probe, error) { return newPrometheus(d, spec) },
		Uses: func(spec mishap.ProbeSpec) (mishap.Uses, error) {
			params, expect, bad := readPrometheus(spec)
			return webUses(params.URL, params.CAFile).And(mishap.UsesOf(params, expect)), bad.err()
		},
	}
}

// prometheusProbe is the prometheus probe with its expectations read.
type prometheusProbe struct {
	call   webCall
	limit  Comparison
	reduce string
}

func readPrometheus(spec mishap.ProbeSpec) (params prometheusParams, expect prometheusExpect, bad misread) {
	bad = decode(spec, &params, &expect)
	return params, expect, bad
}

func newPrometheus(d Deps, spec mishap.ProbeSpec) (mishap.Probe, error) {
	params, expect, bad := readPrometheus(spec)
	if bad.with == nil {
		bad.with = errors.Join(append(checkWeb(params.URL, params.Headers), params.check())...)
	}
	limit, errValue := expectComparison("expect.value", expect.Value, Plain, Percent, Time)
	if errValue == nil && bad.expect == nil && limit == nil {
		errValue = &mishap.FieldError{Path: "expect.value", Msg: "is missing", Hint: `write a comparison like "< 0.05"`}
	}
	var errReduce error
	if ways := []string{"max", "min", "sum", "all"}; expect.Reduce != "" && !slices.Contains(ways, expect.Reduce) {
		errReduce = &mishap.FieldError{Path: "expect.reduce", Msg: fmt.Sprintf("%q is not a way to reduce", expect.Reduce), Hint: mishap.Suggest(expect.Reduce, ways)}
	}
	if err := errors.Join(bad.with, bad.expect, errValue, errReduce); err != nil {
		return nil, err
	}
	p := prometheusProbe{limit: *limit, reduce: expect.Reduce, call: webCall{
		method: http.MethodPost, url: params.URL, path: "api/v1/query", headers: params.Headers,
		form: url.Values{"query": {params.Query}}.Encode(), caFile: params.CAFile,
	}}
	return &probe{deps: d, timeout: spec.Timeout.Std(), late: "no answer of Prometheus", source: true, measure: p.measure}, nil
}

func (p prometheusParams) check() error {
	var problems []error
	if strings.TrimSpace(p.Query) == "" {
		problems = append(problems, &mishap.FieldError{Path: "with.query", Msg: "is missing", Hint: `write it like up{job="checkout"}`})
	}
	if strings.Contains(p.URL.Value, "/api/v1") || strings.Contains(p.URL.Value, "?") {
		problems = append(problems, &mishap.FieldError{Path: "with.url", Msg: "must be the address of the server alone", Hint: "leave out /api/v1 and what follows it"})
	}
	return errors.Join(problems...)
}

func (p prometheusProbe) measure(ctx context.Context, s *secrets) (mishap.Observation, error) {
	answer, err := p.call.send(ctx, s)
	if err != nil {
		return mishap.Observation{}, err
	}
	values, err := readResult(answer, s)
	if err != nil {
		return mishap.Observation{}, err
	}
	return p.judge(values)
}

// readResult returns the values of the series in an answer, at least one and
// none of them NaN.
func readResult(answer webAnswer, s *secrets) ([]reading, error) {
	if answer.cut {
		return nil, unmeasured("the result is larger than %d bytes; let the query aggregate", bodyLimit)
	}
	result, err := prometheus.Read(answer.status, answer.body, s.quote)
	switch {
	case err != nil:
		return nil, unmeasured("%v", err)
	case result.Kind != "vector" && result.Kind != "scalar":
		return nil, unmeasured("the query gives a %s; it must give an instant vector or a scalar", result.Kind)
	}
	series, err := result.Series(s.quote)
	if err != nil {
		return nil, unmeasured("%v", err)
	}
	var values []reading
	for _, one := range series {
		var text string
		if one.Value == nil || json.Unmarshal(one.Value[1], &text) != nil {
			return nil, unmeasured("the result holds a histogram or something else that is not one number")
		}
		v, ok := readReading(text)
		if !ok {
			return nil, unmeasured("the result is %s, which is not a number", s.quote(text))
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, unmeasured("the query gives no data")
	}
	return values, nil
}

// judge compares the values, reduced to one where that is asked for.
func (p prometheusProbe) judge(values []reading) (mishap.Observation, error) {
	byPrinted := func(a, b reading) int { return cmp.Compare(a.printed, b.printed) }
	low, high := slices.MinFunc(values, byPrinted), slices.MaxFunc(values, byPrinted)
	reduced, value := values, ""
	switch p.reduce {
	case "max":
		reduced = []reading{high}
	case "min":
		reduced = []reading{low}
	case "sum":
		sum, ok := sumOf(values)
		if !ok {
			return mishap.Observation{}, unmeasured("the sum of the series is not a number")
		}
		reduced = []reading{sum}
	case "":
		if len(values) > 1 {
			return mishap.Observation{}, unmeasured("the query gives %d series, and must give one: let it aggregate, or set expect.reduce", len(values))
		}
	}
	value = number(reduced[0].printed)
	if len(reduced) > 1 {
		value = fmt.Sprintf("%s to %s", number(low.printed), number(high.printed))
	}
	if len(values) > 1 {
		value += fmt.Sprintf(" (%s of %d series)", p.reduce, len(values))
	}
	return p.compare(reduced, value), nil
}

// compare says of the first value beyond the limit that it is, else of the first
// that cannot be told from it that it is not known.
func (p prometheusProbe) compare(values []reading, text string) mishap.Observation {
	var j judgement
	for _, v := range values {
		switch within, known := p.limit.holds(v); {
		case !known && len(j.unsure) == 0:
			j.unknown("value is about %s, expected %s; Prometheus counts exactly only up to 2^53, and cannot tell the two apart", strconv.FormatFloat(v.printed, 'f', -1, 64), p.limit)
		case known && !within && len(j.wrong) == 0:
			j.unmet("value is %s, expected %s", text, p.limit)
		}
	}
	return j.observation(text)
}

// number is v in six digits, or whole where those would hide what it is compared
// with: 9007199254740992 and not 9.0072e+15.
func number(v float64) string {
	if math.Abs(v) >= 1e6 && math.Abs(v) < 1e18 && v == math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
