package toxiproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"mishap/internal/certs"
	"mishap/internal/outside"
	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/socket"
)

const (
	requestTimeout = 10 * time.Second // for a client to send its request, and to take the answer
	answerTimeout  = 5 * time.Second  // for names to be resolved
	maxBody        = 4 << 20          // bytes of a request's body
)

// Options are what Listen needs.
type Options struct {
	Address string       // host:port; without a host it is the loopback address
	TLS     certs.Mutual // mandatory where Address can be reached from elsewhere
	Config  string       // path of Toxiproxy's config file, a JSON list of proxies; "" is none
	Log     *slog.Logger
}

// Server is the API. It is a proxy.API.
type Server struct {
	listener net.Listener
	http     *http.Server
	local    bool // it is bound to the loopback address, without TLS
	proxies  collection
	config   []definition
}

// Listen takes the address and reads the config file.
func Listen(ctx context.Context, o Options) (*Server, error) {
	s := &Server{local: o.TLS == certs.Mutual{}}
	if o.Config != "" {
		var err error
		if s.config, err = readConfig(o.Config); err != nil {
			return nil, err
		}
	}
	var err error
	if s.listener, err = control.ListenAPI(ctx, o.Address, o.TLS); err != nil {
		return nil, fmt.Errorf("serve Toxiproxy's API: %w", err)
	}
	s.http = &http.Server{
		Handler:           http.MaxBytesHandler(socket.Whole(s.routes()), maxBody),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      2 * requestTimeout,
		IdleTimeout:       time.Minute,
		ConnContext:       socket.WithConn,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// readConfig reads a file of proxies.
func readConfig(path string) ([]definition, error) {
	data, err := outside.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read Toxiproxy's config: %w", err)
	}
	var list []definition
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read Toxiproxy's config %s: it must be a JSON list of {name, listen, upstream, enabled}: %w", path, err)
	}
	if err := check(list); err != nil {
		return nil, fmt.Errorf("read Toxiproxy's config %s: %w", path, err)
	}
	return list, nil
}

// Addr is where the API is, with the real port.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Start takes over the proxies of the settings, and opens those of the config file: all, or it fails.
func (s *Server) Start(host *proxy.Host) error {
	s.proxies.begin(host)
	var errs []error
	for _, d := range s.config {
		if _, err := s.proxies.addOrReplace(context.Background(), d); err != nil {
			errs = append(errs, fmt.Errorf("open proxy %q of Toxiproxy's config: %w", d.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Serve answers until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve Toxiproxy's API on %s: %w", s.listener.Addr(), err)
	}
	return nil
}

// Close ends Serve and gives the address up. It may be called again.
func (s *Server) Close() {
	_ = s.http.Close()
	_ = s.listener.Close()
}
