package forward

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Fault is a rule, and how many requests it has hit.
type Fault struct {
	rule     Rule
	hits     atomic.Uint64
	overflow atomic.Uint64
	active   atomic.Int64
}

// NewFault checks a rule. Nothing happens before the fault is put on a board.
func NewFault(rule Rule) (*Fault, error) {
	rule, err := rule.prepare()
	if err != nil {
		return nil, err
	}
	return &Fault{rule: rule}, nil
}

// Rule is what the fault was made of. It must not be changed.
func (f *Fault) Rule() *Rule { return &f.rule }

// Hits is how many requests the fault has hit so far.
func (f *Fault) Hits() uint64 { return f.hits.Load() }

// Overflow is how many requests went on unharmed because MaxActive others were hit at that moment.
func (f *Fault) Overflow() uint64 { return f.overflow.Load() }

// Active is how many requests the fault is hitting now.
func (f *Fault) Active() int64 { return f.active.Load() }

// enter takes one of the places that MaxActive leaves; leave gives it back.
func (f *Fault) enter() bool {
	for {
		n := f.active.Load()
		if f.rule.MaxActive > 0 && n >= f.rule.MaxActive {
			f.overflow.Add(1)
			return false
		}
		if f.active.CompareAndSwap(n, n+1) {
			f.hits.Add(1)
			return true
		}
	}
}

func (f *Fault) leave() { f.active.Add(-1) }

// Board holds the faults in force, oldest first. The zero value is empty. It must not be copied.
type Board struct {
	mu  sync.Mutex
	set atomic.Pointer[faultSet]
}

// faultSet is what is in force until changed is closed.
type faultSet struct {
	faults  []*Fault
	changed chan struct{}
}

// Put puts a fault in force, for new requests and for those that wait. It never blocks.
func (b *Board) Put(f *Fault) {
	b.change(func(list []*Fault) []*Fault { return append(list, f) })
}

// Remove takes a fault off and lets go of all that it holds. It never blocks.
func (b *Board) Remove(f *Fault) {
	b.change(func(list []*Fault) []*Fault { return slices.DeleteFunc(list, func(g *Fault) bool { return g == f }) })
}

// Replace puts one fault in the place of another, in one step.
func (b *Board) Replace(old, next *Fault) {
	b.change(func(list []*Fault) []*Fault {
		for i, f := range list {
			if f == old {
				list[i] = next
			}
		}
		return list
	})
}

func (b *Board) change(edit func([]*Fault) []*Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.load()
	b.set.Store(&faultSet{edit(slices.Clone(old.faults)), make(chan struct{})})
	close(old.changed)
}

// load gives what is in force now.
func (b *Board) load() *faultSet {
	if s := b.set.Load(); s != nil {
		return s
	}
	b.set.CompareAndSwap(nil, &faultSet{changed: make(chan struct{})})
	return b.set.Load()
}
