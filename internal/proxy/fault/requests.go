package fault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mishap/internal/forward"
)

// requests acts on the requests of a proxy whose protocol is http.
type requests interface {
	rule(Fault) (forward.Rule, error)
}

// Text says which texts match: the text itself, all that begin with it if it ends in *, or all that an RE2 expression
// after ~ matches whole. Alone, * matches every text that is there; empty asks for nothing.
type Text string

func (t Text) pattern() (forward.Pattern, error) {
	switch text := string(t); {
	case text == "":
		return forward.Pattern{}, nil
	case strings.HasPrefix(text, "~"):
		return forward.Regexp(strings.TrimSpace(text[1:]))
	case text == "*":
		return forward.Present(), nil
	case strings.HasSuffix(text, "*"):
		return forward.Prefix(strings.TrimSuffix(text, "*")), nil
	default:
		return forward.Exact(text), nil
	}
}

// Requests says which requests a fault hits: all that is given must match. It is a part of every effect on requests.
type Requests struct {
	Method  string          `json:"method,omitempty"`
	Path    Text            `json:"path,omitempty"` // without the query, as it came
	Host    Text            `json:"host,omitempty"`
	Headers map[string]Text `json:"headers,omitempty"`
	Cookies map[string]Text `json:"cookies,omitempty"`
	From    string          `json:"from,omitempty"`    // address or network of the client
	Service string          `json:"service,omitempty"` // of gRPC, with its package
	Call    string          `json:"call,omitempty"`    // method of the gRPC service
	// Key makes units of requests, which a share hits or spares together: header:NAME, cookie:NAME, source, connection, or
	// request (default), where each is one of its own. The same seed hits the same units on every proxy.
	Key       string `json:"key,omitempty"`
	MaxActive int64  `json:"maxActive,omitempty"` // requests that are hit at once; those above go on unharmed. 0: no limit
	// Arm is the token of an arm of the fault's run: only its requests are hit. Empty: whatever arm they are in.
	Arm string `json:"arm,omitempty"`
}

// checkFault notes what is wrong with a fault that is confined to an arm.
func (q Requests) checkFault(f Fault, errs *Problems) {
	errs.Add(q.Arm != "" && !ValidName(f.Run), "run %q must be 1 to %d letters, digits, or any of . _ : -: the arm is one of the run's",
		f.Run, MaxName)
}

// match makes the rule that hits the requests.
func (q Requests) match(f Fault) (forward.Rule, error) {
	var errs []error
	pattern := func(t Text) forward.Pattern {
		p, err := t.pattern()
		errs = append(errs, err)
		return p
	}
	named := func(all map[string]Text) (list []forward.Named) {
		for name, value := range all {
			list = append(list, forward.Named{Name: name, Value: pattern(value)})
		}
		return list
	}
	m := forward.Match{Method: q.Method, Path: pattern(q.Path), Host: pattern(q.Host), Headers: named(q.Headers),
		Cookies: named(q.Cookies), Service: q.Service, GRPCMethod: q.Call}
	if q.Arm != "" {
		m.Member = forward.Member{Run: f.Run, Token: q.Arm}
	}
	var err error
	if m.Source, err = network(q.From); err != nil {
		errs = append(errs, err)
	}
	key, err := forward.ParseKey(q.Key)
	errs = append(errs, err)
	share := forward.Share{Key: key, Millionths: uint32(math.Round(f.Share * forward.Whole))}
	binary.LittleEndian.PutUint64(share.Secret[:8], mix(f.Seed, 1))
	binary.LittleEndian.PutUint64(share.Secret[8:], mix(f.Seed, 2))
	if f.Share > 0 && share.Millionths == 0 {
		share.Millionths = 1 // 0 would be all
	}
	return forward.Rule{Match: m, Share: share, MaxActive: q.MaxActive}, errors.Join(errs...)
}

// Rule is what a fault on requests makes of them.
func (f Fault) Rule() (forward.Rule, error) {
	e, ok := f.Effect.(requests)
	if !ok {
		return forward.Rule{}, fmt.Errorf("fault %q hits no requests", f.ID)
	}
	return e.rule(f)
}

// WatchRule is which requests of both arms of a run the fault hits.
func (f Fault) WatchRule(run string) (forward.Rule, error) {
	f.Run = run
	f = f.WithDefaults()
	var errs Problems
	e, ok := f.Effect.(requests)
	if _, arms := f.Effect.(Arms); !ok || arms {
		return forward.Rule{}, fmt.Errorf("fault %q hits no requests", f.ID)
	}
	errs.Add(!(f.Share > 0 && f.Share <= 1), "share %v must be above 0 and at most 1", f.Share)
	f.Effect.check(&errs)
	rule, err := e.rule(f)
	errs.Add(err != nil, "%w", err)
	errs.Add(rule.MaxActive > 0, "with maxActive it depends on other requests whether fault %q hits one, and not on the request", f.ID)
	rule.Match.Member = forward.Member{}
	return forward.Rule{Match: rule.Match, Share: rule.Share}, errors.Join(errs...)
}

// network reads an address or a network; empty is every one.
func network(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("from %q is not an address or a network: write 10.0.0.7 or 10.0.0.0/8", text)
	}
	return p.Masked(), nil
}

// checkRule notes what is wrong with the rule of an effect.
func checkRule(errs *Problems, e requests) {
	rule, err := e.rule(Fault{Share: 1, Run: "run"})
	_, wrong := forward.NewFault(rule)
	err = errors.Join(err, wrong)
	errs.Add(err != nil, "%w", err)
}

// drawing draws one delay after the other, from any goroutine.
func drawing(s Spread, seed uint64) func() time.Duration {
	var mu sync.Mutex
	var n uint64
	from := sampler{Spread: s, Draws: NewDraws(seed, 0, Downstream)}
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		n++
		return from.sample(n-1, true)
	}
}

// fields lists header fields in a fixed order.
func fields(all map[string]string) (list []forward.Field) {
	for _, name := range sorted(all) {
		list = append(list, forward.Field{Name: name, Value: all[name]})
	}
	return list
}
