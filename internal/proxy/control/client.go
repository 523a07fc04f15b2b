package control

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mishap/internal/certs"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/socket"
)

// unknownField is in what every version answers to a body with a field that it does not know.
const unknownField = "unknown field "

// maxAnswer bounds what the client reads of an answer, in bytes.
const maxAnswer = 16 << 20

// Client calls the control API of a proxy on this machine.
type Client struct {
	path string // of the socket, or tcp://host:port
	host string // for the Host header
	http *http.Client
}

// NewClient makes a client for the control socket at a path, or at tcp://host:port. It connects at each call.
func NewClient(address string) *Client {
	host, tcp := strings.CutPrefix(address, tcpControl)
	if !tcp {
		return newClient(address, func(ctx context.Context) (net.Conn, error) { return socket.Dial(ctx, address) })
	}
	return newClient(address, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", callable(host))
	})
}

// NewSecureClient makes a client for a control API on tcp://host:port with mutual TLS.
func NewSecureClient(address string, files certs.Mutual) (*Client, error) {
	host, tcp := strings.CutPrefix(address, tcpControl)
	if !tcp {
		return nil, errors.New("mutual TLS is for control addresses of the form tcp://host:port")
	}
	config, err := files.Load()
	if err != nil {
		return nil, err
	}
	dialer, host := &tls.Dialer{Config: config}, callable(host)
	return newClient(address, func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", host) }), nil
}

// newClient makes a client that connects by dial.
func newClient(address string, dial func(context.Context) (net.Conn, error)) *Client {
	host := "proxy"
	if to, ok := strings.CutPrefix(address, tcpControl); ok {
		host = to
	}
	return &Client{path: address, host: host, http: &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		},
	}}
}

// Proxies lists the proxies of the process.
func (c *Client) Proxies(ctx context.Context) (list []registry.ProxyStatus, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/proxies", nil, &list)
	return list, wrap("list proxies", err)
}

// Put adds a fault. A second Put of the same fault renews it; other content under the same id is an error, and so is
// an id that has ended (ErrEnded).
func (c *Client) Put(ctx context.Context, f fault.Fault) (status registry.Status, err error) {
	err = c.call(ctx, http.MethodPut, faultPath(f.ID), f, &status)
	if err != nil && strings.Contains(err.Error(), unknownField) {
		err = fmt.Errorf("%w: %w", ErrOlder, err)
	}
	return status, wrap(fmt.Sprintf("put fault %q", f.ID), err)
}

// Renew lets the lease of a fault begin anew. It gives ErrEnded or ErrNotFound if the fault is not in force.
func (c *Client) Renew(ctx context.Context, id string, expires time.Duration) (status registry.Status, err error) {
	err = c.call(ctx, http.MethodPost, faultPath(id)+"/renew", renewal{fault.Duration(expires)}, &status)
	return status, wrap(fmt.Sprintf("renew fault %q", id), err)
}

// Own makes a proxy belong to a run for a lease, or renews that, and gives what others changed since. It gives ErrOwned if
// the proxy belongs to another run or has a fault of somebody else, and ErrEnded if it is to be renewed and is not the run's.
func (c *Client) Own(ctx context.Context, proxy string, o registry.Owner) (owned registry.Owned, err error) {
	err = c.call(ctx, http.MethodPut, ownerPath(proxy), wireOwner{o.Run, fault.Duration(o.Expires), o.Renew}, &owned)
	if busy := new(occupied); errors.As(err, &busy) {
		return owned, err // it says all
	}
	return owned, wrap(fmt.Sprintf("own proxy %q", proxy), err)
}

// Disown gives a proxy back. It may be called again.
func (c *Client) Disown(ctx context.Context, proxy, run string) (owned registry.Owned, err error) {
	err = c.call(ctx, http.MethodDelete, ownerPath(proxy)+"?run="+url.QueryEscape(run), nil, &owned)
	return owned, wrap(fmt.Sprintf("disown proxy %q", proxy), err)
}

func ownerPath(proxy string) string { return "/v1/proxies/" + url.PathEscape(proxy) + "/owner" }

// Retract removes a fault as Delete does, for its own run.
func (c *Client) Retract(ctx context.Context, id, run string) (status registry.Status, err error) {
	err = c.call(ctx, http.MethodDelete, faultPath(id)+"?run="+url.QueryEscape(run), nil, &status)
	return status, wrap(fmt.Sprintf("delete fault %q", id), err)
}

// Delete removes a fault and gives what it did. It may be called again, and for an id that was never injected, which
// then cannot be injected any more.
func (c *Client) Delete(ctx context.Context, id string) (status registry.Status, err error) {
	err = c.call(ctx, http.MethodDelete, faultPath(id), nil, &status)
	return status, wrap(fmt.Sprintf("delete fault %q", id), err)
}

// Get says how a fault is doing, or what it did.
func (c *Client) Get(ctx context.Context, id string) (status registry.Status, err error) {
	err = c.call(ctx, http.MethodGet, faultPath(id), nil, &status)
	return status, wrap(fmt.Sprintf("get fault %q", id), err)
}

// List gives the faults in force and the latest that have ended, oldest first.
func (c *Client) List(ctx context.Context) (list []registry.Status, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/faults", nil, &list)
	return list, wrap("list faults", err)
}

// Arms gives the closed buckets of arms after the one with that number; 0 is from the oldest on. Of the first requests of
// units it gives those that come after so many.
func (c *Client) Arms(ctx context.Context, id string, after uint64, trials int) (report registry.ArmsReport, err error) {
	path := fmt.Sprintf("%s/arms?after=%d&trials=%d", faultPath(id), after, trials)
	err = c.call(ctx, http.MethodGet, path, nil, &report)
	return report, wrap(fmt.Sprintf("get arms of fault %q", id), err)
}

// SetThresholds fixes the thresholds of all rows of arms that need one. It may be called again with the same.
func (c *Client) SetThresholds(ctx context.Context, id string, l registry.Limits) error {
	err := c.call(ctx, http.MethodPut, faultPath(id)+"/thresholds", l, new(registry.Limits))
	return wrap(fmt.Sprintf("set thresholds of fault %q", id), err)
}

// SetInjecting tells arms when their run injects its faults, and gives the time that they go by. It has to be told before
// the first fault is injected, and may be told again with the same time.
func (c *Client) SetInjecting(ctx context.Context, id string, i registry.Injecting) (used time.Time, err error) {
	err = c.call(ctx, http.MethodPut, faultPath(id)+"/injecting", i, &i)
	return i.At, wrap(fmt.Sprintf("tell fault %q the injection", id), err)
}

func faultPath(id string) string { return "/v1/faults/" + url.PathEscape(id) }

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// call sends a request and reads the answer into result. All that can be asked for may be asked for twice.
func (c *Client) call(ctx context.Context, method, path string, body, result any) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	return socket.Insist(ctx, func() error { return c.callOnce(ctx, method, path, body, result) })
}

func (c *Client) callOnce(ctx context.Context, method, path string, body, result any) error {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write request: %w", err)
		}
		payload = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.host+path, payload)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreached(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if response.StatusCode >= 300 {
		return failed(response.StatusCode, data)
	}
	if err := json.Unmarshal(data, result); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
