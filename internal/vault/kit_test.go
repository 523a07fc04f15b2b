package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"mishap"
	"mishap/internal/vault"
)

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(logTo{t}, nil))
}

type logTo struct{ t *testing.T }

func (l logTo) Write(p []byte) (int, error) { l.t.Logf("%s", p); return len(p), nil }

func ireland() mishap.Place   { return mishap.Place{Account: "123456789012", Region: "eu-west-1"} }
func frankfurt() mishap.Place { return mishap.Place{Account: "123456789012", Region: "eu-central-1"} }

// stops are injections as a fault on instances makes them.
func stops(run string, n int, where mishap.Place) (all []mishap.Injection) {
	draw := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range n {
		id := fmt.Sprintf("i-%017x", draw.Uint64()>>4)
		all = append(all, stop(run, i, id, where))
	}
	return all
}

func stop(run string, i int, id string, where mishap.Place) mishap.Injection {
	return mishap.Injection{
		ID: fmt.Sprintf("%s.1.%d", run, i+1), Run: run, Fault: "a zone loses its instances", Injector: "ec2-stop",
		Target: mishap.Target{
			ID: fmt.Sprintf("arn:aws:ec2:%s:%s:instance/%s", where.Region, where.Account, id), Kind: "ec2-instance", Name: "pay", Where: where,
			Tags: map[string]string{"Role": "payments", "mishap": "allow"},
		},
		Matched: 1000, Undo: json.RawMessage(fmt.Sprintf(`{"account":"%s","region":"%s","instance":"%s"}`, where.Account, where.Region, id)),
		Keys:  []mishap.Key{{Thing: fmt.Sprintf("aws/%s/%s/instance/%s", where.Account, where.Region, id), Attribute: "state"}},
		For:   mishap.Duration(5 * time.Minute),
		Notes: []string{"Auto Scaling group web will replace it"},

		Batch: i/100 + 1, Settles: mishap.Duration(10 * time.Second), RevertTakes: mishap.Duration(15 * time.Minute),
	}
}

// system is what faults are in, and a revert takes them out of.
type system struct {
	mu     sync.Mutex
	in     map[string]bool // by target
	stuck  map[string]bool // what cannot be reverted
	takes  time.Duration
	first  time.Time // when the first revert was asked for
	revert int       // calls
}

func newSystem(all ...mishap.Injection) *system {
	s := &system{in: map[string]bool{}, stuck: map[string]bool{}}
	for _, in := range all {
		s.in[in.Target.ID] = true
	}
	return s
}

func (s *system) Revert(_ context.Context, all []mishap.Injection) (ended []vault.Ended) {
	s.mu.Lock()
	s.revert++
	if s.first.IsZero() {
		s.first = time.Now()
	}
	s.mu.Unlock()
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range all {
		if s.stuck[in.Target.ID] {
			ended = append(ended, vault.Ended{State: mishap.InjectionStranded, Detail: "it does not start"})
			continue
		}
		delete(s.in, in.Target.ID)
		ended = append(ended, vault.Ended{State: mishap.InjectionReverted, Detail: "instance is running"})
	}
	return ended
}

// claimText is the claim that the run of an injection makes.
func claimText(t *testing.T, in mishap.Injection) string {
	text, err := json.Marshal(map[string]any{"version": 1, "run": in.Run, "by": "ann@laptop", "thing": in.Keys[0].Thing, "held": "1m"})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// heldBy is the vault of one place as a server left it that was lost right after it
// had made the injections durable.
func heldBy(t *testing.T, all []mishap.Injection) *memory {
	t.Helper()
	m := newMemory()
	for _, in := range all {
		m.put(vault.ClaimName(in.Keys[0].Thing), claimText(t, in))
	}
	_, texts, err := vault.Pack(all[0].Run, "ann@laptop", all)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		m.put(vault.RecordName(all[0].Run, i+1), text)
	}
	return m
}
