package forward_test

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mishap/internal/forward"
)

const (
	controlToken    = "c0ffee0000000001"
	experimentToken = "c0ffee0000000002"
)

// armsRule assigns by the header X-User.
func armsRule(t testing.TB, share float64, book forward.Book) forward.Rule {
	t.Helper()
	key, err := forward.ParseKey("header:X-User")
	if err != nil {
		t.Fatal(err)
	}
	return forward.Rule{
		Share: forward.Share{Millionths: uint32(share * forward.Whole), Key: key, Secret: [16]byte{7}},
		Arms:  &forward.Arms{Run: "run-1", Control: controlToken, Experiment: experimentToken, Book: book},
	}
}

func onlyExperiment() forward.Match {
	return forward.Match{Member: forward.Member{Run: "run-1", Token: experimentToken}}
}

// userIn is a user in an arm.
func userIn(t testing.TB, rule forward.Rule, arm forward.Arm) string {
	t.Helper()
	for i := range 10_000 {
		user := fmt.Sprint("user-", i)
		if rule.Share.ArmOf(&forward.Asked{Header: map[string][]string{"X-User": {user}}}) == arm {
			return user
		}
	}
	t.Fatalf("nobody is in arm %q", arm)
	return ""
}

// echoBaggage answers with the baggage that the request came with, one field a line.
func echoBaggage(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, strings.Join(r.Header["Baggage"], "\n"))
}

func askWith(t testing.TB, c *http.Client, addr string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, text(t, res)
}

func TestArmsAreLikeInSizeStickyAndOnlyGrow(t *testing.T) {
	const units = 20_000
	key, _ := forward.ParseKey("header:X-User")
	before := make([]forward.Arm, units)
	for _, millionths := range []uint32{1000, 10_000, 50_000, 250_000, forward.MaxArmShare} {
		share, sizes := forward.Share{Millionths: millionths, Key: key, Secret: [16]byte{1}}, [3]int{}
		for i := range units {
			arm := share.ArmOf(unit(i))
			if before[i] != forward.NoArm && before[i] != arm {
				t.Fatalf("unit %d went from %q to %q at %d millionths", i, before[i], arm, millionths)
			}
			before[i] = arm
			sizes[arm]++
		}
		p := float64(millionths) / forward.Whole
		for _, arm := range []forward.Arm{forward.Control, forward.Experiment} {
			if want, sigma := p*units, math.Sqrt(units*p*(1-p)); math.Abs(float64(sizes[arm])-want) > 5*sigma+1 {
				t.Errorf("%q has %d of %d units at %d millionths", arm, sizes[arm], units, millionths)
			}
		}
	}
	if slices.Contains(before, forward.NoArm) {
		t.Error("two halves leave somebody out")
	}
}

func TestTheRequestSaysItsArmUpstream(t *testing.T) {
	const ours = "mishap.run=run-1,mishap.arm=experiment,mishap.token=" + experimentToken + ",mishap.slot=50" // of the users below
	control := strings.NewReplacer("experiment", "control", experimentToken, controlToken, "=50", "=48").Replace(ours)
	rule := armsRule(t, .3, nil)
	experiment, other := userIn(t, rule, forward.Experiment), userIn(t, rule, forward.NoArm)
	for name, c := range map[string]struct {
		edge, egress bool
		header       []string
		want         string
	}{
		"experiment":                 {header: []string{"X-User", experiment}, want: ours},
		"control":                    {header: []string{"X-User", userIn(t, rule, forward.Control)}, want: control},
		"in neither":                 {header: []string{"X-User", other, "baggage", "a=1"}, want: "a=1"},
		"without the key":            {header: []string{"Baggage", "a=1"}, want: "a=1"},
		"others stay, in order":      {header: []string{"X-User", experiment, "Baggage", "b=2;p=x , a=1,,", "baggage", "c=3"}, want: ours + ",b=2;p=x,a=1,c=3"},
		"ours are replaced":          {header: []string{"X-User", experiment, "Baggage", "a=1,mishap.token=t,mishap.other=1,mishap.arm=control"}, want: ours + ",a=1"},
		"malformed ones stay":        {header: []string{"X-User", experiment, "Baggage", `a,=1,"b"=\2`}, want: ours + `,a,=1,"b"=\2`},
		"inside, a claim passes":     {header: []string{"X-User", other, "Baggage", "a=1,mishap.token=t"}, want: "a=1,mishap.token=t"},
		"from outside it does not":   {edge: true, header: []string{"X-User", other, "Baggage", "a=1,mishap.token=t,b=2"}, want: "a=1,b=2"},
		"nor if it is written oddly": {edge: true, header: []string{"Baggage", "mishap%2Etoken=t, MISHAP.arm = control,%6dishap.run=r;p"}, want: ""},
		"outside gets none":          {egress: true, header: []string{"X-User", experiment, "Baggage", "a=1"}, want: "a=1"},
		"outside gets no others'":    {egress: true, header: []string{"X-User", other, "Baggage", "mishap.token=t,a=1"}, want: "a=1"},
		"untouched without ours":     {egress: true, header: []string{"Baggage", "a=1 ,, b=2"}, want: "a=1 ,, b=2"},
	} {
		for _, version := range []string{"http1", "http2"} {
			t.Run(name+" "+version, func(t *testing.T) {
				r, client := rigFor(t, version, echoBaggage, func(s *forward.Server) { s.Edge, s.Egress = c.edge, c.egress })
				r.put(rule)
				if _, got := askWith(t, client, r.addr, c.header...); got != c.want {
					t.Errorf("upstream saw %q, want %q", got, c.want)
				}
			})
		}
	}
}

// TestAUserKeepsItsSlotAndUsersAreSpreadOverAll: metrics of others that bear the slot are clusters of users.
func TestAUserKeepsItsSlotAndUsersAreSpreadOverAll(t *testing.T) {
	r, client := rigFor(t, "http1", echoBaggage)
	r.put(armsRule(t, .5, nil))
	users := map[string]map[string]int{}
	for i := range 2000 {
		_, first := askWith(t, client, r.addr, "X-User", fmt.Sprint(i))
		_, again := askWith(t, client, r.addr, "X-User", fmt.Sprint(i), "Baggage", "mishap.slot=64")
		if first != again {
			t.Fatalf("user %d: %q, and then %q", i, first, again)
		}
		m := regexp.MustCompile("mishap.arm=([a-z]+),.*,mishap.slot=([0-9]+)$").FindStringSubmatch(first)
		if m == nil {
			t.Fatalf("no slot in %q", first)
		}
		if users[m[1]] == nil {
			users[m[1]] = map[string]int{}
		}
		users[m[1]][m[2]]++
	}
	for arm, slots := range users {
		for slot := range 64 {
			if n := slots[fmt.Sprint(slot)]; n < 2 || n > 40 || len(slots) != 64 { // 16 are expected
				t.Errorf("%s: %d users in slot %d of %d", arm, n, slot, len(slots))
			}
		}
	}
}

// TestAFaultConfinedToAnArmHitsThatArmAlone sends both arms, and others, through an edge and then through a proxy with a
// fault, once behind each other and once in one.
func TestAFaultConfinedToAnArmHitsThatArmAlone(t *testing.T) {
	for _, version := range []string{"http1", "http2"} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s together %v", version, together), func(t *testing.T) {
				inner, client := rigFor(t, version, echoBaggage, func(s *forward.Server) { s.Egress, s.Edge = true, together })
				edge := inner
				if !together {
					edge = startWith(t, inner.addr, func(s *forward.Server) { s.Edge = true })
				}
				rule := armsRule(t, .3, nil)
				f := inner.put(forward.Rule{Match: onlyExperiment(), Reply: &forward.Reply{Status: 503}})
				edge.put(rule)
				for arm, want := range map[forward.Arm]int{forward.Experiment: 503, forward.Control: 200, forward.NoArm: 200} {
					for range 3 {
						status, seen := askWith(t, client, edge.addr, "X-User", userIn(t, rule, arm), "Baggage", "mishap.token="+experimentToken)
						if status != want || seen != "" {
							t.Errorf("arm %q got %d, and the outside %q", arm, status, seen)
						}
						x := inner.exchange()
						if x.Arm != arm || (len(x.Hits) == 1) != (arm == forward.Experiment) || (len(x.Passed) == 1) != (arm == forward.Control) {
							t.Errorf("arm %q: observed arm %q, %d hits, %d passed", arm, x.Arm, len(x.Hits), len(x.Passed))
						}
						if arm != forward.NoArm && x.Run != "run-1" {
							t.Errorf("observed run %q", x.Run)
						}
					}
				}
				if f.Hits() != 3 {
					t.Errorf("%d hits, want 3", f.Hits())
				}
			})
		}
	}
}

func TestATokenHitsWhateverAnSDKMadeOfItsBaggage(t *testing.T) {
	r, client := rigFor(t, "http1", echoBaggage)
	r.put(forward.Rule{Match: onlyExperiment(), Reply: &forward.Reply{Status: 503}})
	for baggage, want := range map[string]int{
		"mishap.token=" + experimentToken:                                     503,
		"a=1, mishap.token = " + experimentToken + " ;p=1":                    503,
		"mishap.token=c0ffee%30000000002,mishap.arm=experiment":               503,
		"mishap.token=" + controlToken + ",mishap.arm=experiment":             200,
		"mishap.run=run-1,mishap.arm=experiment":                              200,
		"mishap.token=" + experimentToken + "0":                               200,
		"mishap.token=" + strings.ToUpper(experimentToken):                    200,
		"x=mishap.token=" + experimentToken + ";mishap.token=" + controlToken: 200,
	} {
		if got, _ := askWith(t, client, r.addr, "Baggage", baggage); got != want {
			t.Errorf("%q got %d, want %d", baggage, got, want)
		}
	}
}

// TestACallOfGRPCIsInAnArmToo: metadata are header fields, and its status is what the fault says.
func TestACallOfGRPCIsInAnArmToo(t *testing.T) {
	r, client := rigFor(t, "http2", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc+proto")
		w.Header().Set("X-Seen", r.Header.Get("Baggage"))
		w.Header().Set("Grpc-Status", "0")
	})
	rule := armsRule(t, .3, nil)
	r.put(rule)
	match := onlyExperiment()
	match.Service, match.GRPCMethod = "shop.Cart", "Add"
	r.put(forward.Rule{Match: match, GRPC: &forward.GRPCStatus{Code: 14}})
	for arm, want := range map[forward.Arm]int{forward.Experiment: 14, forward.Control: 0} {
		req, _ := http.NewRequest(http.MethodPost, "http://"+r.addr+"/shop.Cart/Add", nil)
		req.Header.Set("Content-Type", "application/grpc+proto")
		req.Header.Set("X-User", userIn(t, rule, arm))
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if arm == forward.Control && !strings.Contains(res.Header.Get("X-Seen"), "mishap.arm=control") {
			t.Errorf("the service saw %q", res.Header.Get("X-Seen"))
		}
		if x := r.exchange(); x.GRPC != want || x.Arm != arm {
			t.Errorf("arm %q: observed status %d and arm %q", arm, x.GRPC, x.Arm)
		}
	}
}

// book writes down what it is told.
type book struct {
	mu     sync.Mutex
	skips  map[forward.Why]int
	events []string
}

func (b *book) say(event string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, event)
}

func (b *book) Skip(why forward.Why) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.skips == nil {
		b.skips = map[forward.Why]int{}
	}
	b.skips[why]++
}

func (b *book) Begin(a *forward.Assignment) {
	a.Mark = 7
	b.say(fmt.Sprintf("begin %s malformed=%v", a.Arm, a.Malformed))
}

func (b *book) Answered(a *forward.Assignment, x *forward.Exchange) {
	b.say(fmt.Sprintf("answered %d %d", a.Mark, x.Status))
}

func (b *book) End(a *forward.Assignment, x *forward.Exchange) {
	b.say(fmt.Sprintf("end %d %d %v", a.Mark, x.Status, x.Total >= x.Head && x.Head > 0))
}

func TestTheBookIsToldOfEveryRequest(t *testing.T) {
	long := "a=" + strings.Repeat("x", 8000) + ",b=1"
	many := strings.Repeat("a=1,", 62)
	for _, version := range []string{"http1", "http2"} {
		b := &book{}
		r, client := rigFor(t, version, echoBaggage)
		rule := armsRule(t, .3, b)
		r.put(rule)
		experiment := userIn(t, rule, forward.Experiment)
		for _, header := range [][]string{
			{"X-User", experiment},
			{"X-User", experiment, "Baggage", "malformed"},
			{"X-User", userIn(t, rule, forward.NoArm)},
			{},
			{"X-User", experiment, "Baggage", long + "," + strings.Repeat("y", 200)},
			{"X-User", experiment, "Baggage", many},
		} {
			if status, _ := askWith(t, client, r.addr, header...); status != 200 {
				t.Fatalf("%v: status %d", header, status)
			}
		}
		r.stop()
		want := "begin experiment malformed=false, answered 7 200, end 7 200 true, begin experiment malformed=true, answered 7 200, end 7 200 true"
		if got := strings.Join(b.events, ", "); got != want {
			t.Errorf("%s: the book was told\n%s, want\n%s", version, got, want)
		}
		if b.skips[forward.Outside] != 1 || b.skips[forward.WithoutKey] != 1 || b.skips[forward.TooLong] != 2 {
			t.Errorf("%s: skipped %v", version, b.skips)
		}
	}
}

func TestArmsThatCannotBeAreRefused(t *testing.T) {
	for says, change := range map[string]func(*forward.Rule){
		"at most half":            func(r *forward.Rule) { r.Share.Millionths = forward.MaxArmShare + 1 },
		"must be above 0":         func(r *forward.Rule) { r.Share.Millionths = 0 },
		"the same token":          func(r *forward.Rule) { r.Arms.Control = r.Arms.Experiment },
		`run "a,b" must be`:       func(r *forward.Rule) { r.Arms.Run = "a,b" },
		"token of the experiment": func(r *forward.Rule) { r.Arms.Experiment = "" },
		"both a run and a token":  func(r *forward.Rule) { r.Match.Member.Run = "x" },
		"too long":                func(r *forward.Rule) { r.Arms.Run = strings.Repeat("r", 5000) },
	} {
		rule := armsRule(t, .1, nil)
		change(&rule)
		if _, err := forward.NewFault(rule); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}
