package metrics

import (
	"context"
	"errors"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// proxyParams are none: the arms say which proxy it is.
type proxyParams struct{}

const proxyDoc = "Reads what the proxy at the edge, which assigns the arms, counts of their requests: how many came and how many of " +
	"them succeeded, latencies to the last byte with failures in the last bin, and successes as events. It needs nothing " +
	"else to be installed, and is the default where the arms come from requests.\n\n" +
	"A bucket is 200 ms by when requests came, and closes when all of them are over, 2 s after its end at the latest: what " +
	"is still open then counts as it stands, and a request without an answer as failed. The proxy keeps 10 minutes; what is " +
	"not read by then is missing, and said."

const proxyExample = `{metric: success-rate, margin: 0.5pp, source: proxy}
`

func proxyKind(d Deps) Kind {
	kinds := []mishap.MetricKind{mishap.SuccessRate, mishap.EventRate, mishap.Latency}
	return Kind{
		Kind: mishap.Kind{
			Name:    FromProxy,
			Summary: "the proxy that assigns the arms counts their requests",
			Doc:     proxyDoc,
			Params:  proxyParams{},
			Example: proxyExample,
		},
		Metrics: kinds,
		New: func(m mishap.CompareMetric) (Source, error) {
			if err := errors.Join(fits(FromProxy, m, kinds), mishap.Decode("with", m.With, &proxyParams{})); err != nil {
				return nil, err
			}
			if d.Proxy == nil {
				return noProxy{}, nil
			}
			return d.Proxy.Source(), nil
		},
		Uses: func(m mishap.CompareMetric) (mishap.Uses, error) {
			return mishap.Uses{}, mishap.Decode("with", m.With, &proxyParams{})
		},
	}
}

// noProxy is the proxy of arms that do not come from one.
type noProxy struct{}

// Closed says that there is nothing to read.
func (noProxy) Closed(context.Context) ([]analysis.Bucket, error) {
	return nil, mishap.WithHint(errors.Join(ErrOver, errors.New("the arms of this run do not come from a proxy")), "set arms.from to requests, or take another source")
}

// Delay is none.
func (noProxy) Delay() time.Duration { return 0 }
