package registry_test

import (
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

const (
	ms    = time.Millisecond
	width = 200 * ms
)

// ledger is a book with a time of its own.
type ledger struct {
	registry.Book
	start time.Time
}

func newLedger(a fault.Arms) ledger {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if a.Key == "" {
		a.Key = "cookie:session"
	}
	return ledger{registry.NewBook(a, start), start}
}

// come is a request of a unit that comes.
func (l ledger) come(arm forward.Arm, unit uint64, at time.Duration) *forward.Assignment {
	return l.comeOf(arm, unit, at, 0)
}

// comeOf is a request of some parts of the traffic.
func (l ledger) comeOf(arm forward.Arm, unit uint64, at time.Duration, parts uint32) *forward.Assignment {
	a := &forward.Assignment{Arm: arm, Unit: unit, At: l.start.Add(at), Parts: parts}
	l.Begin(a)
	return a
}

func answer(status int, took time.Duration) *forward.Exchange {
	return &forward.Exchange{Status: status, GRPC: -1, Head: took, Total: took}
}

// serve is a request from its coming to its end.
func (l ledger) serve(arm forward.Arm, unit uint64, at, took time.Duration, status int) {
	a, x := l.come(arm, unit, at), answer(status, took)
	l.Answered(a, x)
	l.End(a, x)
}

func (l ledger) at(at time.Duration) []registry.ArmsBucket {
	return l.Report(0, l.start.Add(at)).Buckets
}

// bins says how many requests are in which bin.
func bins(b registry.ArmBucket, bounds []float64) map[string]uint32 {
	out := map[string]uint32{}
	for i, n := range b.Latency {
		switch {
		case n == 0:
		case i == len(bounds):
			out["failed"] += n
		default:
			out[fmt.Sprintf("%.4g", bounds[i])] += n
		}
	}
	return out
}

func TestABucketIsClosedWhenAllOfItIsOver(t *testing.T) {
	l := newLedger(fault.Arms{})
	a := l.come(forward.Experiment, 1, 10*ms)
	l.serve(forward.Control, 2, 20*ms, 5*ms, 200)
	if got := l.at(width - 1); len(got) != 0 {
		t.Fatalf("before its end %d buckets are closed", len(got))
	}
	if got := l.at(width + 50*ms); len(got) != 0 {
		t.Fatalf("while a request of it goes on %d buckets are closed", len(got))
	}
	l.End(a, answer(200, 300*ms))
	got := l.at(310 * ms)
	if len(got) != 1 || got[0].Seq != 1 || !got[0].Start.Equal(l.start) {
		t.Fatalf("closed: %+v", got)
	}
	r := l.Report(0, l.start.Add(310*ms))
	if c, e := bins(got[0].Control, r.Bounds), bins(got[0].Experiment, r.Bounds); !reflect.DeepEqual(c, map[string]uint32{"0.005382": 1}) ||
		!reflect.DeepEqual(e, map[string]uint32{"0.3444": 1}) {
		t.Errorf("latencies: control %v, experiment %v", c, e)
	}
	if r.Delay != fault.Duration(110*ms) || r.Newest != 1 || r.Oldest != 1 {
		t.Errorf("report %+v", r)
	}
}

// TestWhatIsOpenWhenPatienceIsOverIsJudgedThen: an answer that is still being sent is a success that took at least that
// long, none is a failure, and what comes later changes nothing.
func TestWhatIsOpenWhenPatienceIsOverIsJudgedThen(t *testing.T) {
	for _, looked := range []bool{true, false} { // whether anybody looks in between makes no difference
		l := newLedger(fault.Arms{Patience: fault.Duration(time.Second)})
		hangs, streams := l.come(forward.Experiment, 1, 0), l.come(forward.Experiment, 2, 199*ms)
		l.Answered(streams, answer(200, 3*ms))
		if looked && len(l.at(width+999*ms)) != 0 {
			t.Fatal("closed before patience was over")
		}
		if looked && len(l.at(width+1000*ms)) != 6 {
			t.Fatalf("%d buckets closed when patience was over", len(l.at(width+1000*ms)))
		}
		l.End(hangs, answer(200, width+time.Second))
		l.End(streams, &forward.Exchange{Status: 200, GRPC: -1, Total: 5 * time.Second, Failure: forward.UpstreamGone})
		r := l.Report(0, l.start.Add(9*time.Second))
		e := r.Buckets[0].Experiment
		if e.Requests != 2 || e.Successes != 1 || e.Unfinished != 2 {
			t.Errorf("looked %v: %+v", looked, e)
		}
		if got := bins(e, r.Bounds); !reflect.DeepEqual(got, map[string]uint32{"1.159": 1, "failed": 1}) {
			t.Errorf("looked %v: latencies %v", looked, got)
		}
	}
}

func TestBucketsWithoutTrafficAreThereToo(t *testing.T) {
	l := newLedger(fault.Arms{})
	l.serve(forward.Control, 1, 10*ms, ms, 200)
	l.serve(forward.Control, 1, 810*ms, ms, 200)
	got := l.at(time.Second)
	for i, want := range []uint32{1, 0, 0, 0, 1} {
		if b := got[i]; b.Seq != uint64(i+1) || b.Control.Requests != want || b.Experiment.Requests != 0 || !b.Start.Equal(l.start.Add(time.Duration(i)*width)) {
			t.Errorf("bucket %d: %+v", i, b)
		}
	}
	if more := l.Report(4, l.start.Add(time.Second)).Buckets; len(more) != 1 || more[0].Seq != 5 {
		t.Errorf("after 4: %+v", more)
	}
}

func TestTheLastTenMinutesAreKeptAndReadPageByPage(t *testing.T) {
	l := newLedger(fault.Arms{})
	l.serve(forward.Control, 1, 10*ms, ms, 200)
	const end = time.Hour
	seen, after := 0, uint64(0)
	for {
		r := l.Report(after, l.start.Add(end))
		if after == 0 && (r.Oldest != 18000-3000+1 || r.Newest != 18000 || r.Buckets[0].Seq != r.Oldest) {
			t.Fatalf("kept %d to %d", r.Oldest, r.Newest)
		}
		seen += len(r.Buckets)
		if !r.More {
			break
		}
		after = r.Buckets[len(r.Buckets)-1].Seq
	}
	if seen != 3000 {
		t.Errorf("read %d buckets", seen)
	}
}

func TestNoBucketBeginsAfterTheArmsHaveEnded(t *testing.T) {
	l := newLedger(fault.Arms{})
	a := l.come(forward.Control, 1, 250*ms)
	l.Stop(l.start.Add(300 * ms))
	l.serve(forward.Control, 2, 350*ms, ms, 200)
	l.serve(forward.Control, 3, 450*ms, ms, 200)
	l.End(a, answer(200, 400*ms))
	if got := l.at(time.Minute); len(got) != 2 || got[1].Control.Requests != 2 || got[1].Control.Successes != 2 {
		t.Errorf("buckets %+v", got)
	}
}

func TestAUnitIsNewInTheBucketThatItComesInFirst(t *testing.T) {
	l := newLedger(fault.Arms{})
	for _, unit := range []uint64{1, 1, 2, 2} {
		l.serve(forward.Control, unit, 10*ms, ms, 503)
	}
	l.serve(forward.Control, 1, 10*time.Second+100*ms, ms, 200)
	l.serve(forward.Control, 3, 10*time.Second+100*ms, ms, 200)
	all := l.at(11 * time.Second)
	if first, later := all[0].Control, all[50].Control; first.Units != 2 || first.Requests != 4 || later.Units != 1 || later.Requests != 2 {
		t.Errorf("first bucket %+v, later %+v", first, later)
	}
}

func TestUnitsBeyondTheLimitAreSaidToBe(t *testing.T) {
	l := newLedger(fault.Arms{})
	for i := range uint64(registry.MaxUnits + 5) {
		l.serve(forward.Arm(1+i%2), i, 0, ms, 200)
	}
	a := l.Report(0, l.start).Allocation
	if !a.Capped || a.Control.Units+a.Experiment.Units != registry.MaxUnits || a.Requests() != registry.MaxUnits+5 {
		t.Errorf("allocation %+v", a)
	}
}

// TestAChangeOfProtocolIsAnsweredWithItsHead: what takes long is what comes after it.
func TestAChangeOfProtocolIsAnsweredWithItsHead(t *testing.T) {
	l := newLedger(fault.Arms{})
	a := l.come(forward.Control, 1, 0)
	l.Answered(a, answer(http.StatusSwitchingProtocols, 2*ms))
	got := l.at(width + fault.ArmsDelay)
	if len(got) == 0 || got[0].Control.Successes != 1 || got[0].Control.Unfinished != 0 {
		t.Fatalf("closed %+v", got)
	}
	if in := bins(got[0].Control, l.Report(0, l.start).Bounds); in["0.002263"] != 1 {
		t.Errorf("it took %v", in)
	}
	l.End(a, answer(http.StatusSwitchingProtocols, time.Hour))
}

// TestTheBucketsAddUp lets many goroutines serve requests that take about as long as patience, while others read: what is
// closed adds up in itself, never changes, and all of it is everything that began.
func TestTheBucketsAddUp(t *testing.T) {
	const each, workers = 2000, 4
	l := newLedger(fault.Arms{Patience: fault.Duration(width)})
	closed := map[uint64]registry.ArmsBucket{}
	read := func(now time.Time) {
		for _, b := range l.Report(0, now).Buckets {
			if old, ok := closed[b.Seq]; ok && !reflect.DeepEqual(old, b) {
				t.Errorf("bucket %d changed", b.Seq)
			}
			closed[b.Seq] = b
		}
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				l.serve(forward.Arm(1+i%2), uint64(w), time.Duration(i)*5*ms, time.Duration(i%100)*5*ms, 200+i%4*100)
			}
		})
	}
	for i := range 50 {
		read(l.start.Add(time.Duration(i) * width))
	}
	all.Wait()
	read(l.start.Add(each*5*ms + time.Second))
	var requests, binned, successes uint32
	for _, b := range closed {
		for _, arm := range []registry.ArmBucket{b.Control, b.Experiment} {
			requests, successes = requests+arm.Requests, successes+arm.Successes
			for i, n := range arm.Latency {
				binned += n
				if i == len(arm.Latency)-1 && n != arm.Requests-arm.Successes {
					t.Errorf("bucket %d: %d failures in the last bin of %+v", b.Seq, n, arm)
				}
			}
		}
	}
	if requests != each*workers || binned != requests || successes == 0 {
		t.Errorf("%d requests, %d binned, %d successes", requests, binned, successes)
	}
}
