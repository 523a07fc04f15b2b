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

	"mishap"
)

// asked is how many runs of each world make check-worlds asks for; 0: a small set.
func asked(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MISHAP_WORLDS")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MISHAP_WORLDS is %q and should be a number of runs", text)
	}
	return n
}

// chosen are the worlds that are asked for by name.
func chosen(t *testing.T) (list []World) {
	t.Helper()
	name, err := regexp.Compile(os.Getenv("MISHAP_WORLD"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range All() {
		group := map[bool]string{false: "healthy: ", true: "harmed: "}[w.Harm]
		if name.MatchString(group + w.Name) {
			list = append(list, w)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no world is called %s", name)
	}
	return list
}

// ends plays a world so many times.
func ends(t *testing.T, w World, n int) []End {
	t.Helper()
	all := make([]End, n)
	next := make(chan int)
	var each sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		each.Go(func() {
			for i := range next {
				var err error
				if all[i], err = w.Play(seed(w.Name, i)); err != nil {
					t.Errorf("%s, run %d: %v", w.Name, i, err)
				}
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

func played(t *testing.T, w World, n int) (all Tally) {
	t.Helper()
	for _, e := range ends(t, w, n) {
		all.Add(w, e)
	}
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

// In no world is a verdict wrong more often than chance explains at alpha, and harm that can be shown is. The runs of all worlds
// together are bounded too. (The full number of runs, and worlds that take long, are make check-worlds.)
func TestNoVerdictIsWrongMoreOftenThanChanceExplains(t *testing.T) {
	n := asked(t)
	if n > 0 {
		fmt.Print(Head)
	}
	wrong, runs := map[mishap.Verdict]int{}, map[mishap.Verdict]int{}
	for _, w := range chosen(t) {
		began := time.Now()
		k := n
		if k == 0 {
			if k = few(w); k == 0 {
				continue
			}
		}
		all := played(t, w, k)
		for _, fault := range w.Faults(all) {
			t.Errorf("%s: %s", w.Name, fault)
		}
		for _, v := range w.Wrong {
			wrong[v], runs[v] = wrong[v]+all.wrong(v), runs[v]+k
		}
		if n > 0 {
			fmt.Print(w.Row(all))
			fmt.Fprintf(os.Stderr, "%s: %d runs in %s; %s\n", w.Name, k, time.Since(began).Round(time.Second), all.Often())
		}
	}
	for v := range wrong {
		if most := atMost(runs[v], 0.01); wrong[v] > most {
			t.Errorf("of all worlds: %s in %d of %d runs is wrong, and chance explains %d", v, wrong[v], runs[v], most)
		}
	}
}

// few is how many runs of a world are played in the small set: tens of each kind.
func few(w World) int {
	switch {
	case w.Traffic.Rate != 50 || w.Asked.For > 10*time.Minute:
		return 0
	case w.Harm:
		return 4
	}
	return 2
}

// What decides is the same whether the ends of intervals are sought or not.
func TestLookingDecidesAsTheStatusSays(t *testing.T) {
	for _, name := range []string{"experiment fails 4.5 pp more", "both arms 3 times slower", "equal users, 50/s", "all 1.5 times slower"} {
		for _, w := range All() {
			if w.Name != name {
				continue
			}
			r, err := w.start(1)
			if err != nil {
				t.Fatal(err)
			}
			injected, why, err := r.baseline()
			if err != nil || why != "" {
				t.Fatalf("%s: %s %v", name, why, err)
			}
			for now := injected + look; now < injected+3*time.Minute; now += look {
				if err := r.pass(now); err != nil {
					t.Fatal(err)
				}
				at := r.edge.began.Add(now)
				quick, full := r.comparison.Look(at), r.comparison.Status(at).Decision
				if quick.Outcome != full.Outcome || quick.Reason != full.Reason {
					t.Fatalf("%s after %s: %+v, and %+v", name, now-injected, quick, full)
				}
			}
		}
	}
}
