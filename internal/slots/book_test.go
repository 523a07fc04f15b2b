package slots

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newBook(t testing.TB, slots int, rows ...Row) *Book {
	t.Helper()
	b, err := NewBook(slots, rows, start)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type event struct {
	place Place
	came  time.Time
	count Count
}

// naive is the same sums from the events themselves.
func naive(events []event, rows []Row, slots int, injected, from time.Time, row int, arm Arm) (Moments, Before) {
	units, seen := make([]Unit, slots), make([][2]uint32, slots)
	for _, e := range events {
		if e.place.Arm != arm || e.count.Row != row || e.count.N+e.count.Y == 0 {
			continue
		}
		u := &units[e.place.Slot]
		n, y, since := &u.N0, &u.Y0, 0
		if !injected.IsZero() && !e.came.Before(injected) {
			if n, y, since = &u.N, &u.Y, 1; e.came.Before(from) {
				continue
			}
		}
		*n, *y = *n+float64(e.count.N), *y+float64(e.count.Y)
		if rows[row].PerUnit {
			seen[e.place.Slot][since] |= 1 << (e.place.Who % 32)
			*n = float64(bits.OnesCount32(seen[e.place.Slot][since]))
		}
	}
	var m Moments
	var all Moments
	for _, u := range units {
		m.Add(u)
		all.Add(Unit{N: u.N0, Y: u.Y0})
	}
	return m, Before{all.Units, all.N, all.Y, all.NN, all.NY, all.YY}
}

// TestMomentsAreTheSumsOverUnits counts at random, late and early, and compares
// with sums over the slots as they stand.
func TestMomentsAreTheSumsOverUnits(t *testing.T) {
	rows := []Row{{Name: "success"}, {Name: "events", PerUnit: true}, {Name: "change", Whole: true}}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		slots := 1 + r.IntN(40)
		b := newBook(t, slots, rows...)
		injected := start.Add(60 * time.Second)
		var events []event
		count := func(came time.Time) {
			e := event{PlaceOf(Arm(r.IntN(2)), r.Uint64(), slots), came, Count{Row: r.IntN(3), N: uint32(r.IntN(4))}}
			if e.count.Y = uint32(r.IntN(int(e.count.N) + 1)); e.count.Row == 1 {
				e.count.Y = uint32(r.IntN(5))
			}
			events = append(events, e)
			b.Add(e.place, e.came, e.count)
		}
		for range 300 {
			count(start.Add(time.Duration(r.Int64N(int64(60 * time.Second)))))
		}
		if got := b.Inject(injected); !got.Equal(injected) {
			t.Fatalf("injected at %s", got)
		}
		for range 2000 { // in any order, and some that came before
			count(injected.Add(time.Duration(r.Int64N(int64(100*time.Second))) - 10*time.Second))
		}
		s := b.Snapshot(0)
		if len(s.Windows) != 3 || s.Refused != 0 {
			t.Fatalf("%d windows, %d refused", len(s.Windows), s.Refused)
		}
		compare(t, seed, s, events, rows, slots, injected)
	}
}

// same says whether moments are; only the sum of shares is no sum of whole numbers.
func same(a, b Moments) bool {
	apart := math.Abs(a.Each - b.Each)
	a.Each, b.Each = 0, 0
	return a == b && apart < 1e-6
}

func compare(t *testing.T, seed uint64, s Snapshot, events []event, rows []Row, slots int, injected time.Time) {
	t.Helper()
	for i, row := range rows {
		got, _ := s.Row(row.Name)
		for arm, side := range map[Arm]Side{Control: got.Control, Experiment: got.Experiment} {
			since, before := naive(events, rows, slots, injected, injected, i, arm)
			if !same(side.Since, since) || side.Before != before {
				t.Fatalf("seed %d, %s, arm %d:\n got %+v %+v\nwant %+v %+v", seed, row.Name, arm, side.Since, side.Before, since, before)
			}
			var few Moments
			for _, u := range side.Few {
				few.Add(Unit{u[0], u[1], u[2], u[3]})
			}
			if !row.Whole && !same(few, since) {
				t.Fatalf("seed %d, %s: the slots one by one are not their sums", seed, row.Name)
			}
		}
		for _, w := range s.Windows {
			got, there := w.Row(row.Name)
			if there == row.Whole {
				t.Fatalf("window %d of %s: %v", w.Number, row.Name, there)
			}
			if row.Whole {
				continue
			}
			c, _ := naive(events, rows, slots, injected, w.Start, i, Control)
			e, _ := naive(events, rows, slots, injected, w.Start, i, Experiment)
			if !same(got.Control, c) || !same(got.Experiment, e) {
				t.Fatalf("seed %d, window %d of %s:\n got %+v\nwant %+v", seed, w.Number, row.Name, got.Control, c)
			}
		}
	}
}

func TestWhatCameBeforeTheInjectionIsBaseline(t *testing.T) {
	b := newBook(t, 4, Row{Name: "success"})
	u := Place{Arm: Experiment, Slot: 2}
	b.Add(u, start.Add(time.Second), Count{0, 1, 0})
	injected := b.Inject(start.Add(10 * time.Second))
	b.Add(u, injected.Add(-1), Count{0, 1, 1}) // ends late
	b.Add(u, injected, Count{0, 1, 1})
	if b.Trial(u, injected.Add(-1), true) {
		t.Error("what came before the injection is a trial")
	}
	if e := b.Snapshot(0).Rows[0].Experiment; e.Before.N != 2 || e.Before.Y != 1 || e.Since.N != 1 || e.Since.Y != 1 || e.Since.N0 != 2 {
		t.Errorf("%+v", e)
	}
}

// TestAnInjectionThatIsToldLateRevisesNothing: what came after it was counted
// as baseline already, and so the injection is just after that.
func TestAnInjectionThatIsToldLateRevisesNothing(t *testing.T) {
	b := newBook(t, 4, Row{Name: "success"})
	b.Add(Place{}, start.Add(20*time.Second), Count{0, 1, 0})
	if got, want := b.Inject(start.Add(10*time.Second)), start.Add(20*time.Second+1); !got.Equal(want) {
		t.Errorf("injected at %s, want %s", got, want)
	}
	if got := b.Inject(start.Add(50 * time.Second)); !got.Equal(start.Add(20*time.Second + 1)) {
		t.Errorf("it moved to %s", got)
	}
}

// TestMergingUnitsKeepsTheirSums counts the same requests in many slots and in
// few: the sums that the estimate is made of are the same.
func TestMergingUnitsKeepsTheirSums(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		many, few := newBook(t, 4096, Row{Name: "success"}), newBook(t, 1+r.IntN(64), Row{Name: "success"})
		for i := range 3000 {
			if i == 1000 {
				many.Inject(start.Add(time.Second))
				few.Inject(start.Add(time.Second))
			}
			came, arm, user := start.Add(time.Duration(i)*time.Millisecond), Arm(r.IntN(2)), r.Uint64N(500)
			c := Count{0, 1, uint32(r.IntN(2))}
			many.Add(Place{Arm: arm, Slot: Of(user, 4096)}, came, c)
			few.Add(Place{Arm: arm, Slot: Of(user, few.slots)}, came, c)
		}
		a, b := many.Snapshot(0).Rows[0], few.Snapshot(0).Rows[0]
		for _, v := range [][2]float64{
			{a.Control.Since.N, b.Control.Since.N}, {a.Control.Since.Y, b.Control.Since.Y},
			{a.Experiment.Since.N, b.Experiment.Since.N}, {a.Experiment.Since.Y, b.Experiment.Since.Y},
			{a.Control.Before.Y, b.Control.Before.Y}, {a.Experiment.Before.N, b.Experiment.Before.N},
		} {
			if v[0] != v[1] {
				t.Fatalf("seed %d: %g in many slots, %g in few", seed, v[0], v[1])
			}
		}
	}
}

func TestWindowsAreKeptWhileTheyAreNew(t *testing.T) {
	b := newBook(t, 4, Row{Name: "success"}, Row{Name: "change", Whole: true})
	injected := b.Inject(start)
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9} {
		b.Add(Place{Slot: 1}, injected.Add(FirstWindow<<(n-1)), Count{0, 1, 0})
	}
	s := b.Snapshot(0)
	if len(s.Windows) != mostWindows || s.Windows[0].Number != 3 || s.Windows[6].Number != 9 {
		t.Fatalf("%d windows from %d", len(s.Windows), s.Windows[0].Number)
	}
	for i, w := range s.Windows {
		row, _ := w.Row("success")
		if got, want := row.Control.N, float64(7-i); got != want {
			t.Errorf("window %d counted %g, want %g", w.Number, got, want)
		}
		if want := injected.Add(FirstWindow << (w.Number - 1)); !w.Start.Equal(want) {
			t.Errorf("window %d began at %s", w.Number, w.Start)
		}
	}
	quiet := newBook(t, 4, Row{Name: "success"})
	quiet.Inject(start)
	quiet.Close(start.Add(31 * time.Second))
	if got := len(quiet.Snapshot(0).Windows); got != 2 {
		t.Errorf("%d windows have begun without a request", got)
	}
}

func TestOnlyTheFirstRequestOfASlotIsATrial(t *testing.T) {
	b := newBook(t, 4, Row{Name: "success"})
	if b.Trial(Place{}, start, true) {
		t.Error("a trial before the injection")
	}
	b.Inject(start)
	for _, x := range []struct {
		arm    Arm
		slot   uint32
		failed bool
	}{{Experiment, 1, true}, {Control, 1, false}, {Experiment, 1, false}, {Experiment, 3, false}, {Control, 9, true}, {Control, 2, true}} {
		b.Trial(Place{Arm: x.arm, Slot: x.slot}, start, x.failed)
	}
	if s := b.Snapshot(0); s.Trials != "EceC" {
		t.Errorf("trials %q", s.Trials)
	}
	if s := b.Snapshot(3); s.Trials != "C" || s.TrialsFrom != 3 {
		t.Errorf("trials from 3: %q from %d", s.Trials, s.TrialsFrom)
	}
	if s := b.Snapshot(99); s.Trials != "" || s.TrialsFrom != 4 {
		t.Errorf("trials from 99: %q from %d", s.Trials, s.TrialsFrom)
	}
}

func TestWhatCannotBeIsRefusedAndTold(t *testing.T) {
	b := newBook(t, 4, Row{Name: "success"}, Row{Name: "events", PerUnit: true})
	b.Add(Place{Slot: 4}, start, Count{0, 1, 0})
	b.Add(Place{Arm: 2}, start, Count{0, 1, 0})
	b.Add(Place{}, start, Count{-1, 1, 0}, Count{2, 1, 0}, Count{0, 1, 2}, Count{1, 1, 9})
	b.Add(Place{}, start, Count{0, 1<<32 - 1, 0})
	b.Add(Place{}, start, Count{0, 1, 0})
	if s := b.Snapshot(0); s.Refused != 6 || s.Rows[1].Control.Before.Y != 9 {
		t.Errorf("%d refused, %+v", s.Refused, s.Rows[1].Control.Before)
	}
	for _, rows := range [][]Row{nil, {{}}, {{Name: "a"}, {Name: "a"}}} {
		if _, err := NewBook(0, rows, start); !errors.Is(err, ErrBook) {
			t.Errorf("rows %v: %v", rows, err)
		}
	}
	if _, err := NewBook(-1, []Row{{Name: "a"}}, start); !errors.Is(err, ErrBook) {
		t.Errorf("-1 slots: %v", err)
	}
}

func TestASnapshotIsReadBackAsItWas(t *testing.T) {
	b := fill(t, 300)
	s := b.Snapshot(0)
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got Snapshot
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, s) {
		t.Error("it is another")
	}
	if len(s.Rows[0].Control.Few) > 0 {
		t.Error("many slots are told one by one")
	}
	t.Logf("%d bytes with %d windows", len(data), len(s.Windows))
	for _, bad := range []string{
		`{"rows":[{"name":"a","control":{"since":[1]}}]}`,
		`{"rows":[{"name":"a","control":{"since":[1,1,-1,0,0,1,0,0,0,0,0,0,0,0,0]}}]}`,
		`{"rows":[{"name":"a","control":{"since":[2,1,0,0,0,1,0,0,0,0,0,0,0,0,0]}}]}`,
		`{"rows":[{"name":"a","control":{"since":[2,9,0,0,0,1,0,0,0,0,0,0,0,0,0]}}]}`,
		`{"rows":[{"name":"a","control":{"before":[1,1]}}]}`,
		`{"rows":[{"name":"a","control":{"before":[1,1,1,1,1,-1]}}]}`,
	} {
		if err := json.Unmarshal([]byte(bad), &got); !errors.Is(err, ErrSums) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// rowsOfAFile are as many as an edge counts: success and four quantiles, of what
// met the fault and of all, and how both arms changed.
func rowsOfAFile() (rows []Row) {
	for _, of := range []string{"", ":all"} {
		for _, name := range []string{"success", "p50", "p90", "p99", "p99.9"} {
			rows = append(rows, Row{Name: name + of})
		}
	}
	for _, name := range []string{"p50", "p90", "p99"} {
		rows = append(rows, Row{Name: name + ":change", Whole: true})
	}
	return rows
}

func fill(t testing.TB, slots int) *Book {
	b := newBook(t, slots, rowsOfAFile()...)
	counts := make([]Count, len(b.rows))
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 20000 {
		if i == 5000 {
			b.Inject(start.Add(50 * time.Second))
		}
		for k := range counts {
			counts[k] = Count{k, 1, uint32(r.IntN(50) / 49)}
		}
		p, came := Place{Arm: Arm(r.IntN(2)), Slot: uint32(r.IntN(slots))}, start.Add(time.Duration(i)*10*time.Millisecond)
		b.Add(p, came, counts...)
		b.Trial(p, came, false)
	}
	return b
}

func TestCountingAllocatesNothing(t *testing.T) {
	b := fill(t, 8192)
	counts := make([]Count, len(b.rows))
	for k := range counts {
		counts[k] = Count{k, 1, 0}
	}
	came := start.Add(200 * time.Second)
	if n := testing.AllocsPerRun(100, func() {
		b.Add(Place{Arm: Experiment, Slot: 77}, came, counts...)
		b.Trial(Place{Arm: Experiment, Slot: 77}, came, true)
		b.Close(came)
	}); n != 0 {
		t.Errorf("%g allocations per request", n)
	}
}

// TestMemoryIsBounded is what a book of the usual rows takes with every window.
func TestMemoryIsBounded(t *testing.T) {
	b := fill(t, 8192)
	b.Close(start.Add(1000 * time.Hour))
	bytes := len(b.cells)*8 + len(b.later)*8 + len(b.tried) + cap(b.trials)
	if len(b.windows) != mostWindows || bytes > 20<<20 {
		t.Errorf("%d windows, %d bytes", len(b.windows), bytes)
	}
}

func BenchmarkAdd(bench *testing.B) {
	for _, windows := range []int{0, 3, 7} {
		bench.Run(fmt.Sprintf("windows=%d", windows), func(bench *testing.B) {
			b := newBook(bench, 8192, rowsOfAFile()...)
			b.Inject(start)
			came := start.Add(FirstWindow<<windows - time.Second)
			counts := make([]Count, len(b.rows))
			for k := range counts {
				counts[k] = Count{k, 1, 0}
			}
			i := uint32(0)
			for bench.Loop() {
				i += 977
				b.Add(Place{Arm: Arm(i & 1), Slot: i % 8192}, came, counts...)
			}
		})
	}
}

func BenchmarkSnapshot(bench *testing.B) {
	b := fill(bench, 8192)
	for bench.Loop() {
		_, _ = json.Marshal(b.Snapshot(0))
	}
}
