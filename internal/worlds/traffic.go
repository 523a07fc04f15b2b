package worlds

import (
	"math"
	"math/rand/v2"
	"time"
)

// Traffic says who asks, how often, and what usually becomes of it.
type Traffic struct {
	Rate     float64                           // requests per second and arm, retries not counted
	Users    int                               // of both arms together; with Stays, how many are there at a time
	Stays    int                               // a user leaves after 1 to Stays visits, and another comes; 0: never
	Balanced bool                              // arms are of equal size, as drawn targets are; else each user's is a fair coin
	Activity float64                           // σ of the logarithm of how often users come; 0: all alike
	Heavy    float64                           // this share of all visits is one user's
	Bots     float64                           // this share of the visits is of users that never come again
	Page     int                               // requests of a visit, side by side, that fail together; 0: 1
	Retries  int                               // a failed request is asked again so many times, at once and in vain
	Fails    func(*rand.Rand) float64          // share of a user's visits that fail
	Slow     func(*rand.Rand) float64          // how much longer than others a user waits; nil: 1
	Events   func(*rand.Rand) float64          // events per request of a user; nil: none
	Load     func(since time.Duration) float64 // of Rate, by the time since the traffic began; nil: 1
	Meets    float64                           // share of the requests that meets the fault, or would; 0: all
	MeetsBy  float64                           // share of the users all of whose requests do, instead; 0: all
	Changes  []Change
}

const (
	median   = 60 * time.Millisecond // of answers
	logSigma = 0.5                   // of their logarithm
)

// Arm is who a change happens to.
type Arm uint8

// The arms.
const (
	Both Arm = iota
	Experiment
	Control
)

// Change is what becomes of requests that come while it lasts.
type Change struct {
	From, For time.Duration // since the injection; For 0: to the end
	Always    bool          // From is since the traffic began
	Every     time.Duration // it comes again, at a moment drawn for each run
	Arm       Arm
	Share     float64       // of the requests; 0: all
	Users     float64       // of the users; 0: all
	Broken    int           // the first so many users of the arm, instead
	Met       bool          // only requests that met the fault
	Unmet     bool          // only requests that did not
	Adds      float64       // to the share that fails; with Rises, at the end of For
	Rises     bool          // Adds begins with 0
	Fails     float64       // the share of these that fails for this reason alone
	Slower    float64       // times as long; 0: 1
	Takes     time.Duration // added
	Holds     bool          // nothing is answered until it is over
	Events    float64       // times as many; 0: 1
	Asks      float64       // this share of the visits is left, for who waits asks less; 0: all
}

// at says whether it lasts, and for how long it has; now and injected are since the traffic began, injected < 0: not yet.
func (c *Change) at(now, injected, phase time.Duration) (since time.Duration, on bool) {
	since = now - c.From
	if !c.Always {
		if injected < 0 {
			return 0, false
		}
		since -= injected
	}
	if since < 0 {
		return 0, false
	}
	if c.Every > 0 {
		since = (since + phase) % c.Every
	}
	return since, c.For == 0 || since < c.For
}

// Alike is a share that is everybody's.
func Alike(share float64) func(*rand.Rand) float64 {
	return func(*rand.Rand) float64 { return share }
}

// Some is other for a part of the users.
func Some(part, other, share float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		if r.Float64() < part {
			return other
		}
		return share
	}
}

// Unlike is share times e^N(0, σ).
func Unlike(share, sigma float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return share * math.Exp(sigma*r.NormFloat64()) }
}

// Clustered is a beta distribution of that mean and intraclass correlation.
func Clustered(mean, icc float64) func(*rand.Rand) float64 {
	k := 1/icc - 1
	return func(r *rand.Rand) float64 {
		a, b := gamma(r, mean*k), gamma(r, (1-mean)*k)
		if a+b == 0 {
			return mean
		}
		return a / (a + b)
	}
}

// gamma draws by Marsaglia and Tsang, 2000.
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
