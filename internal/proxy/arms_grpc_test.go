package proxy_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

// healthy is a gRPC service of one method.
type healthy struct {
	grpc_health_v1.UnimplementedHealthServer
	serve func(context.Context, string) error
}

// Check answers, or fails as serve does.
func (h healthy) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, h.serve(ctx, r.GetService())
}

// serveGRPC runs a server of grpc-go.
func serveGRPC(t *testing.T, serve func(context.Context, string) error) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, healthy{serve: serve})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func dialGRPC(t *testing.T, address string) grpc_health_v1.HealthClient {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return grpc_health_v1.NewHealthClient(c)
}

// passOn is a context for calls that a request causes, with its baggage.
func passOn(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	var pairs []string
	for _, baggage := range md.Get("baggage") {
		pairs = append(pairs, "baggage", baggage)
	}
	return metadata.NewOutgoingContext(context.WithoutCancel(ctx), metadata.Pairs(pairs...))
}

// grpcChain is users of grpc-go, two proxies with arms, one service behind both, and the proxy of what it calls.
type grpcChain struct {
	*chain
	edges [2]grpc_health_v1.HealthClient
}

// newGRPCChain begins with arms "a" of run r at the first edge, and "b" of run s at the second.
func newGRPCChain(t *testing.T, serve func(call func() error) error) *grpcChain {
	t.Helper()
	var pays grpc_health_v1.HealthClient
	shop := serveGRPC(t, func(ctx context.Context, what string) error {
		if what != "buy" {
			return nil
		}
		return serve(func() error {
			ctx, cancel := context.WithTimeout(passOn(ctx), patience)
			defer cancel()
			_, err := pays.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			return err
		})
	})
	dependency := serveGRPC(t, func(context.Context, string) error { return nil })
	socket := filepath.Join(t.TempDir(), "c.sock")
	list, _ := serveWith(t, proxy.Options{Listeners: []listener.Config{
		{Name: "web", Listen: "127.0.0.1:0", Upstream: shop, Control: socket, Protocol: fault.HTTP, Edge: true},
		{Name: "app", Listen: "127.0.0.1:0", Upstream: shop, Control: socket, Protocol: fault.HTTP, Edge: true},
		{Name: "pays", Listen: "127.0.0.1:0", Upstream: dependency, Control: socket, Protocol: fault.HTTP},
	}})
	pays = dialGRPC(t, list[2].Listen)
	c := &grpcChain{chain: &chain{Client: control.NewClient(socket), t: t}, edges: [2]grpc_health_v1.HealthClient{dialGRPC(t, list[0].Listen), dialGRPC(t, list[1].Listen)}}
	for i, name := range []string{"a", "b"} {
		f := arms(name, .5)
		a := told(f.Effect.(fault.Arms))
		a.Key = "header:x-user"
		if f.Effect = a; i == 1 {
			a.Tokens = fault.ArmTokens{Control: "another-control-token", Experiment: "another-experiment-token"}
			f.Effect, f.Proxy, f.Run = a, "app", "s"
		}
		c.put(f)
	}
	return c
}

// ask lets users from one on ask at an edge, and counts the calls that failed.
func (c *grpcChain) ask(edge int, what string, from, users int) (failed int) {
	c.t.Helper()
	for user := from; user < from+users; user++ {
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(c.t.Context(), "x-user", fmt.Sprint(user), "baggage", "tenant=one"), patience)
		_, err := c.edges[edge].Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: what})
		cancel()
		switch status.Code(err) {
		case codes.OK:
		case codes.Unavailable:
			failed++
		default:
			c.t.Fatal(err)
		}
	}
	return failed
}

// TestWhoMetAFaultIsKnownThroughGRPC, with clients and servers of grpc-go and baggage in metadata, however the service calls,
// and while users of another edge meet the same dependency.
func TestWhoMetAFaultIsKnownThroughGRPC(t *testing.T) {
	later := make(chan func(), 1000)
	for name, serve := range map[string]func(call func() error) error{
		"once": func(call func() error) error { return call() },
		"three times": func(call func() error) (err error) {
			for range 3 {
				err = call()
			}
			return err
		},
		"after its answer": func(call func() error) error {
			later <- func() { _ = call() }
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGRPCChain(t, serve)
			settle := func() {
				for len(later) > 0 {
					(<-later)()
				}
			}
			pay := func(arm string) fault.Effect {
				return fault.GRPCError{Requests: fault.Requests{Service: "grpc.health.v1.Health", Arm: arm}, Code: 14}
			}
			watch, other := watching(pay(""), 1), watching(pay(""), 1)
			other.Run = "s"
			for _, w := range []*fault.Fault{&watch.Faults[0], &other.Faults[0]} {
				w.Proxy = "pays"
			}
			for _, run := range []string{"r", "s"} {
				w := watch
				if run == "s" {
					w = other
				}
				if _, err := c.Met(t.Context(), "pays", w); err != nil {
					t.Fatal(err)
				}
			}
			c.ask(0, "buy", 0, 40)
			settle()
			c.join(watch) // what is under way at the injection is of neither time
			if _, err := c.SetInjecting(t.Context(), "a", registry.Injecting{Run: "r", At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			f := confined("f", pay(experimentToken))
			f.Proxy, f.Seed = "pays", 3
			c.put(f)
			failed := c.ask(0, "buy", 100, 60)
			c.ask(0, "look", 100, 30)
			if n := c.ask(1, "buy", 100, 50); n != 0 {
				t.Errorf("%d calls of another edge failed", n)
			}
			settle()
			joined, met := c.join(watch)
			met2, of := joined.Since.Met, joined.Since.Of
			if met2.Control+met2.Experiment != 60 || met2.Control == 0 || met2.Experiment == 0 || of.Control+of.Experiment != 90 || joined.Foreign+joined.Late != 0 || joined.Failed != "" {
				t.Errorf("joined %+v", joined)
			}
			if b := joined.Before; b.Met != b.Of || b.Met.Control+b.Met.Experiment != 40 {
				t.Errorf("in the baseline %+v", b)
			}
			calls := uint64(1)
			if name == "three times" {
				calls = 3
			}
			if hit := c.get("f").Stats.Requests; hit != calls*met2.Experiment || met.NoID+met.Lost != 0 || met.Other != calls*50 {
				t.Errorf("the fault hit %d, met %+v, joined %+v", hit, met, joined)
			}
			want := float64(met2.Experiment)
			if name == "after its answer" {
				want = 0
			}
			if control, experiment := c.sums("ok"); experiment[0] != float64(met2.Experiment) || experiment[1] != want || control[0] != float64(met2.Control) || control[1] != 0 || float64(failed) != want {
				t.Errorf("control %v, experiment %v; %d failed", control, experiment, failed)
			}
			joined, met = c.joinOf("b", other)
			if all := joined.Before.Met; all != joined.Before.Of || all.Control+all.Experiment != 50 || joined.Foreign != 0 || met.Other != calls*100 {
				t.Errorf("the other edge: joined %+v, met %+v", joined, met)
			}
		})
	}
}
