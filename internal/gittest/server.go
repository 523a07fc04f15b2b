package gittest

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Server serves one repository over HTTP, see gitprotocol-http(5).
type Server struct {
	URL string

	mu      sync.Mutex
	head    Hash
	packs   map[Hash]pack // of the newest commit and the one before it
	asked   int           // how often somebody asked which is the newest
	fetches int
}

// pack is one that is served, and for how long nonsense follows it.
type pack struct {
	bytes []byte
	more  int64
}

// Serve starts a server for as long as a test lasts.
func Serve(t *testing.T) *Server {
	t.Helper()
	s := &Server{}
	http := httptest.NewServer(s)
	t.Cleanup(http.Close)
	s.URL = http.URL + "/x.git"
	return s
}

// Push makes a commit the newest one.
func (s *Server) Push(r *Repo) {
	p := pack{r.bytes(), r.More}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.packs[s.head]
	s.packs = map[Hash]pack{r.Commit: p}
	if known && s.head != r.Commit {
		s.packs[s.head] = before
	}
	s.head, s.asked = r.Commit, 0
}

// Asked is how often somebody asked for the newest commit since it was pushed.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Fetches is how often a pack was asked for.
func (s *Server) Fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

var wants = regexp.MustCompile("want ([0-9a-f]{40})")

// ServeHTTP answers a fetch of one commit without its history.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/info/refs"):
		s.mu.Lock()
		head := s.head
		s.asked++
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		fmt.Fprint(w, line("# service=git-upload-pack\n")+"0000"+
			line(fmt.Sprintf("%s HEAD\x00shallow ofs-delta symref=HEAD:refs/heads/main agent=test\n", head))+
			line(fmt.Sprintf("%s refs/heads/main\n", head))+"0000")
	case strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		ask, _ := io.ReadAll(r.Body)
		wanted := wants.FindSubmatch(ask)
		if wanted == nil {
			http.Error(w, "what is wanted?", http.StatusBadRequest)
			return
		}
		var head Hash
		_, _ = hex.Decode(head[:], wanted[1])
		s.mu.Lock()
		s.fetches++
		pack := s.packs[head]
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		fmt.Fprint(w, line(fmt.Sprintf("shallow %s", head))+"0000"+line("NAK\n"))
		_, err := w.Write(pack.bytes)
		nonsense := make([]byte, 64<<10)
		for more := pack.more; more > 0 && err == nil; more -= int64(len(nonsense)) {
			_, err = w.Write(nonsense)
		}
	default:
		http.NotFound(w, r)
	}
}

// line is a line as the protocol has it.
func line(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }
