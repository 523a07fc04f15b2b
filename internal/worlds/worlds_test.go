package worlds

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// runs is how often each world is played: make check-worlds asks for more.
func runs(t *testing.T, w World) int {
	t.Helper()
	text := os.Getenv("MISHAP_WORLDS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MISHAP_WORLDS is %q and should be a number of runs", text)
	}
	return n
}

// few is whether worlds that take long are left out.
func few() bool { return os.Getenv("MISHAP_WORLDS") == "" }

// chosen are the worlds that are asked for by name.
func chosen(t *testing.T) (list []World) {
	t.Helper()
	name, err := regexp.Compile(os.Getenv("MISHAP_WORLD"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range All() {
		long := w.Traffic.Rate > 100 || w.Asked.For > 10*time.Minute
		group := map[bool]string{false: "healthy: ", true: "harmed: "}[w.Harm]
		if name.MatchString(group+w.Name) && !(few() && long) {
			list = append(list, w)
		}
	}
	return list
}

// played plays a world so many times.
func played(t *testing.T, w World, n int) (all Tally) {
	t.Helper()
	var each sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		each.Go(func() {
			for i := range next {
				e, err := w.Play(seed(w.Name, i))
				mu.Lock()
				if err != nil {
					t.Errorf("%s, run %d: %v", w.Name, i, err)
				}
				all.Add(e)
				mu.Unlock()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	each.Wait()
	return all
}

// seed is of a world's own, so that no two worlds share their chances.
func seed(name string, i int) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h + uint64(i)
}

// In no world is a verdict wrong more often than chance explains at alpha. The full number of runs is make check-worlds.
func TestNoVerdictIsWrongInAnyWorld(t *testing.T) {
	if !few() {
		fmt.Print(Head)
	}
	for _, w := range chosen(t) {
		t.Run(w.Name, func(t *testing.T) {
			began := time.Now()
			n := runs(t, w)
			all := played(t, w, n)
			for _, fault := range w.Faults(all) {
				t.Error(fault)
			}
			if !few() {
				fmt.Print(w.Row(all))
				fmt.Fprintf(os.Stderr, "%s: %d runs in %s; %s\n", w.Name, n, time.Since(began).Round(time.Second), all.Often())
			}
		})
	}
}
