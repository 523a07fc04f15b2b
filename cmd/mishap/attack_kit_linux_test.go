package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// What an input may cost, see docs/measured.md.
const (
	mostMemory = 256 << 20   // VmHWM of the process that takes all of them
	mostWork   = time.Second // of processor time, for one
)

// attack is how many inputs there are, and which.
type attack struct {
	full                 bool
	files, calls, pushes int
	seed                 uint64
}

// newAttack is a small one in every test run, and a large one where
// MISHAP_ATTACK_INPUTS asks for it. MISHAP_ATTACK_SEED chooses others.
func newAttack(t *testing.T) attack {
	a := attack{files: 300, calls: 300, pushes: len(hostileCommits), seed: 1}
	if os.Getenv("MISHAP_ATTACK_INPUTS") != "" {
		a = attack{full: true, files: 20_000, calls: 5_000, pushes: 200, seed: 1}
	}
	if text := os.Getenv("MISHAP_ATTACK_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		a.seed = seed
	}
	return a
}

// dice are those of one input: it can be made again alone.
func (a attack) dice(n int) *rand.Rand { return rand.New(rand.NewPCG(a.seed, uint64(n))) }

// bounded is the environment of a process that is attacked: the collector of its
// runtime knows how much there is, as it would in a container.
func bounded(env []string) []string { return append(env, "GOMEMLIMIT=192MiB") }

var peak = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peakOf is the most memory that a process ever held.
func peakOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatalf("the process is gone: %v", err)
	}
	found := peak.FindSubmatch(text)
	if found == nil {
		t.Fatalf("no VmHWM in %s", text)
	}
	kib, _ := strconv.Atoi(string(found[1]))
	return kib << 10
}

// within256 wants a process to hold no more than it may.
func within256(t *testing.T, what string, pid int) int {
	t.Helper()
	held := peakOf(t, pid)
	if held > mostMemory {
		t.Errorf("%s: it held %s", what, mib(held))
	}
	return held
}

func mib(n int) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// pick is one of them.
func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }
