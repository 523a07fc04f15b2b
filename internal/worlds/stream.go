package worlds

import (
	"math"
	"math/rand/v2"
	"time"
)

// Request is one attempt, as a proxy at the edge sees it.
type Request struct {
	At         time.Duration // since the traffic began
	Unit       uint64        // whose it is
	Experiment bool
	Met        bool // the fault, or would have if it were of the experiment
	Failed     bool
	Harmed     bool // it failed, and would not have but for what happens to the experiment alone
	Took       time.Duration
	Events     int
}

// user is who comes, and what usually becomes of it.
type user struct {
	unit                uint64
	experiment, meets   bool
	number              int // in its arm
	chance              float64
	fails, slow, events float64
	left                int // visits; 0: without end
}

// Stream makes requests in the order of time.
type Stream struct {
	Traffic
	timed    bool // somebody asks how long requests took
	r        *rand.Rand
	users    []user
	pick     alias
	bot      user
	arms     [2]int
	now      time.Duration
	injected time.Duration
	phase    []time.Duration

	// What is left of a visit.
	of     *user
	more   int
	fate   float64 // of the visit: it fails if that is less than its chance
	slowly float64 // what its requests have in common
	again  int     // retries to come
	last   Request
}

// Start begins the traffic.
func (t Traffic) Start(seed uint64, timed bool) *Stream {
	s := &Stream{Traffic: t, timed: timed, r: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), injected: -1}
	weights := make([]float64, t.Users)
	s.users = make([]user, t.Users)
	turn := s.r.IntN(2)
	for i := range s.users {
		weights[i] = math.Exp(t.Activity * s.r.NormFloat64())
		s.come(&s.users[i])
		if t.Balanced {
			s.arms[arm(s.users[i].experiment)]--
			s.users[i].experiment = (i+turn)%2 == 0
			s.users[i].number = s.arms[arm(s.users[i].experiment)]
			s.arms[arm(s.users[i].experiment)]++
		}
	}
	if t.Heavy > 0 {
		rest := 0.0
		for _, w := range weights[1:] {
			rest += w
		}
		weights[0] = rest * t.Heavy / (1 - t.Heavy)
	}
	s.pick = newAlias(weights)
	for _, c := range t.Changes {
		s.phase = append(s.phase, time.Duration(s.r.Float64()*float64(c.Every)))
	}
	return s
}

func arm(experiment bool) int {
	if experiment {
		return 1
	}
	return 0
}

// Inject says that the fault is in from the next request on.
func (s *Stream) Inject() { s.injected = s.now }

// come makes somebody new of u.
func (s *Stream) come(u *user) {
	*u = user{unit: s.r.Uint64(), experiment: s.r.Uint64()&1 == 1, meets: true, slow: 1, chance: s.r.Float64()}
	u.number = s.arms[arm(u.experiment)]
	s.arms[arm(u.experiment)]++
	u.fails = s.Fails(s.r)
	if s.Slow != nil {
		u.slow = s.Slow(s.r)
	}
	if s.Events != nil {
		u.events = s.Events(s.r)
	}
	if s.MeetsBy > 0 {
		u.meets = s.r.Float64() < s.MeetsBy
	}
	if s.Stays > 0 {
		u.left = 1 + s.r.IntN(s.Stays)
	}
}

// Next is the request after the last one. Its time may be past what was asked for: there is always one more.
func (s *Stream) Next() Request {
	if s.again > 0 {
		s.again--
		return s.last
	}
	if s.more == 0 {
		s.visit()
	}
	s.more--
	s.last = s.request()
	if s.last.Failed {
		s.again = s.Retries
	}
	return s.last
}

// visit waits for the next one.
func (s *Stream) visit() {
	s.more = max(s.Page, 1)
	each := float64(s.more) / (2 * s.Rate) * float64(time.Second)
	s.now += time.Duration(each / s.load() * s.r.ExpFloat64())
	if s.r.Float64() < s.Bots {
		s.of = &s.bot
		s.come(s.of)
	} else {
		s.of = &s.users[s.pick.draw(s.r)]
		if s.Stays > 0 {
			if s.of.left == 0 {
				s.come(s.of)
			}
			s.of.left--
		}
	}
	if s.stays() {
		s.visit()
		return
	}
	s.fate = s.r.Float64()
	if s.more > 1 && s.timed {
		s.slowly = s.r.NormFloat64() * math.Sqrt(0.5)
	}
}

// stays says whether the user stays away this time.
func (s *Stream) stays() bool {
	for i := range s.Changes {
		c := &s.Changes[i]
		if c.Asks == 0 || !c.hits(s.of, &Request{}) {
			continue
		}
		if _, on := c.at(s.now, s.injected, s.phase[i]); on && s.r.Float64() >= c.Asks {
			return true
		}
	}
	return false
}

// load waits while there is none.
func (s *Stream) load() float64 {
	if s.Load == nil {
		return 1
	}
	for {
		if l := s.Load(s.now); l > 0 {
			return l
		}
		s.now += 100 * time.Millisecond
	}
}

func (s *Stream) request() Request {
	u := s.of
	q := Request{At: s.now, Unit: u.unit, Experiment: u.experiment, Met: u.meets}
	if s.Meets > 0 {
		q.Met = s.r.Float64() < s.Meets
	}
	share, slower, events, added := u.fails, u.slow, u.events, time.Duration(0)
	usually := share
	for i := range s.Changes {
		c := &s.Changes[i]
		since, on := c.at(s.now, s.injected, s.phase[i])
		if !on || !c.hits(u, &q) || c.Share > 0 && s.r.Float64() >= c.Share {
			continue
		}
		adds := c.Adds
		if c.Rises {
			adds *= since.Seconds() / c.For.Seconds()
		}
		share += adds
		if c.Arm != Experiment {
			usually += adds
		}
		q.Failed = q.Failed || c.Fails > 0 && s.r.Float64() < c.Fails
		if c.Slower > 0 {
			slower *= c.Slower
		}
		if c.Events > 0 {
			events *= c.Events
		}
		if added += c.Takes; c.Holds {
			added += c.For - since
		}
	}
	q.Failed = q.Failed || s.fate < share
	q.Harmed = q.Failed && s.fate >= usually
	if events > 0 && s.r.Float64() < events {
		q.Events = 1
	}
	q.Took = added
	if s.timed {
		z := s.r.NormFloat64()
		if s.Page > 1 {
			z = z*math.Sqrt(0.5) + s.slowly
		}
		q.Took += time.Duration(float64(median) * slower * math.Exp(logSigma*z))
	}
	return q
}

// hits says whether it happens to this user and this request.
func (c *Change) hits(u *user, q *Request) bool {
	switch {
	case c.Arm == Experiment && !u.experiment, c.Arm == Control && u.experiment, c.Met && !q.Met, c.Unmet && q.Met:
		return false
	case c.Broken > 0:
		return u.number < c.Broken
	}
	return c.Users == 0 || u.chance < c.Users
}

// alias draws by weights (Walker 1977, Vose 1991).
type alias struct {
	chance []float64
	other  []int
}

func newAlias(weights []float64) alias {
	n, sum := len(weights), 0.0
	for _, w := range weights {
		sum += w
	}
	a := alias{make([]float64, n), make([]int, n)}
	var small, large []int
	for i, w := range weights {
		if a.chance[i] = w / sum * float64(n); a.chance[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		i, j := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[i] = j
		if a.chance[j] -= 1 - a.chance[i]; a.chance[j] < 1 {
			large, small = large[:len(large)-1], append(small, j)
		}
	}
	for _, i := range append(small, large...) {
		a.chance[i], a.other[i] = 1, i
	}
	return a
}

func (a alias) draw(r *rand.Rand) int {
	x := r.Float64() * float64(len(a.chance))
	i := int(x)
	if x-float64(i) < a.chance[i] {
		return i
	}
	return a.other[i]
}
