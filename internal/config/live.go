package config

import (
	"fmt"
	"reflect"
	"sync"

	"mishap"
)

// Live is what of the settings a server takes over while it runs. Whoever reads it reads
// it anew each time that they act, and changes nothing in it.
type Live struct {
	Hosts     []string          // other machines that may be touched
	Protected []string          // patterns on kind/id and kind/name of what is never touched
	PublicURL string            // by which people reach the server's pages, for links to them; empty: none
	Labels    map[string]string // of this server: it runs what needs no others
	Governor  Governor
	Notify    []Notify
	Webhook   Webhook
	Tokens    []Token
	OIDC      OIDC
	Keep      Keep
	Notices   Notices

	given map[string]any // by key, as it was read
}

// live holds what is in force now.
type live struct {
	mu      sync.Mutex
	now     *Live
	changed chan struct{}
}

func newLive(now *Live) *live { return &live{now: now, changed: make(chan struct{})} }

// Live is what is in force now of the settings that may change. It may be asked from
// several goroutines.
func (s *Settings) Live() *Live {
	if s.live == nil {
		return new(Live)
	}
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	return s.live.now
}

// Changed is closed when other settings are put in force.
func (s *Settings) Changed() <-chan struct{} {
	if s.live == nil {
		return nil
	}
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	return s.live.changed
}

// Put puts settings in force, all at once. Settings that were not read by [Load] must
// have some before anybody else knows of them.
func (s *Settings) Put(l *Live) {
	if s.live == nil {
		s.live = newLive(l)
		return
	}
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	s.live.now = l
	close(s.live.changed)
	s.live.changed = make(chan struct{})
}

// Difference is a setting that is not as it was.
type Difference struct {
	Key, From string
	Restart   string // why it is not taken over while a server runs; empty: it is
}

// String names the setting, and where it stands.
func (d Difference) String() string {
	text := fmt.Sprintf("%s (%s)", d.Key, d.From)
	if d.Restart != "" {
		text += ": " + d.Restart
	}
	return text
}

// Differences are the settings that other ones have otherwise: those that may be taken
// over, and those that need a restart.
func (s *Settings) Differences(other *Settings) (take, restart []Difference) {
	for _, one := range settings(Options{LookupEnv: func(string) (string, bool) { return "", false }}) {
		d := Difference{Key: one.key, From: other.From(one.key)}
		switch {
		case one.reload == taken && !reflect.DeepEqual(s.Live().given[one.key], other.Live().given[one.key]):
			take = append(take, d)
		case one.reload != taken && !reflect.DeepEqual(s.given(one.key), other.given(one.key)):
			d.Restart = one.reload
			restart = append(restart, d)
		}
	}
	return take, restart
}

func (s *Settings) gave(key string, value any) {
	for i := range s.Values {
		if s.Values[i].Key == key {
			s.Values[i].given = value
		}
	}
}

func (s *Settings) given(key string) any {
	for _, v := range s.Values {
		if v.Key == key {
			return v.given
		}
	}
	return nil
}

// Beyond refuses an API that others than this machine reach and that would not know who
// asks, with what is in force or is to be.
func (s *Settings) Beyond(l *Live) error {
	known := s.Server.TLS.Cert != "" && (len(l.Tokens) > 0 || l.OIDC.On())
	if known || s.Listen == "" || s.Listen == "none" || isLoopbackAddress(s.Listen) {
		return nil
	}
	return mishap.Invalid(mishap.WithHint(fmt.Errorf("listen on %s: beyond this machine the API needs tls, and tokens or oidc, in the settings", s.Listen),
		"add them, or listen on 127.0.0.1"))
}
